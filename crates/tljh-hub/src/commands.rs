//! One module for each subcommand.

mod account;
mod adopt;
mod backup;
pub mod check_traits;
mod confirm;
mod maintainer_script;
mod migrate;
mod render;
mod run;

use std::io::Write as _;

use clap::CommandFactory;
use tljh_machine::Paths;

use crate::cli::{Account, Adopt, Backup, Cli, Command, Render};
use crate::error::HubError;
use crate::migrations;

/// Does what the command line asks.
pub fn run(command: Command) -> Result<(), HubError> {
    let paths = Paths::default();
    match command {
        Command::Run(arguments) => run::run(&paths, arguments),
        Command::Migrate => migrate::run(&paths),
        Command::Confirm { hub } => confirm::run(&paths, hub),
        Command::CheckTraits => check_traits::run(&paths),
        Command::Account(Account::Ensure(arguments)) => account::ensure(&paths, &arguments),
        Command::Account(Account::List { json }) => account::list(&paths, json),
        Command::Adopt(Adopt::Status { json }) => adopt::status(&paths, json),
        Command::Adopt(Adopt::Undo(arguments)) => adopt::undo(&paths, &arguments),
        Command::Adopt(Adopt::Commit(arguments)) => adopt::commit(&paths, &arguments),
        Command::Backup(Backup::Create { json }) => backup::create(&paths, json),
        Command::Backup(Backup::List { json }) => backup::list(&paths, json),
        Command::Backup(Backup::Restore(arguments)) => backup::restore(&paths, &arguments),
        Command::Render(Render::Proxy) => render::proxy(&paths),
        Command::MaintainerScript { script, arguments } => {
            maintainer_script::run(&paths, script, &arguments)
        }
        Command::StateRange => print(&format!(
            "{} {} {} {}\n",
            migrations::OLDEST,
            migrations::NEWEST,
            migrations::PASS_THROUGH,
            migrations::REVISION
        )),
        Command::RenderDocs { folder } => Ok(tljh_terminal::render_docs(Cli::command(), &folder)?),
    }
}

/// Writes `text` to standard output.
fn print(text: &str) -> Result<(), HubError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(HubError::Print)
}
