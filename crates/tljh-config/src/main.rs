//! Shows, changes and applies `config.yaml`, with upstream's commands.
//!
//! Subcommands, flags and exit codes are those of upstream's `tljh-config`; what a value means comes from
//! the table of keys in `tljh-settings`. An edit never leaves a file that the hub cannot read, and
//! `reload` is the only command that touches a running service.

mod certificates;
mod cli;
mod commands;
mod error;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command};
use crate::commands::Target;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tljh_terminal::init_logging(cli.verbosity);
    let target = Target::of(&cli);
    tljh_terminal::finish(match &cli.command {
        None => commands::print(&Cli::command().render_help().to_string()),
        Some(Command::Show) => commands::show::run(&target),
        Some(Command::Set { key_path, value }) => commands::set::run(&target, key_path, value),
        Some(Command::Unset { key_path }) => commands::unset::run(&target, key_path),
        Some(Command::AddItem { key_path, value }) => {
            commands::add_item::run(&target, key_path, value)
        }
        Some(Command::RemoveItem { key_path, value }) => {
            commands::remove_item::run(&target, key_path, value)
        }
        Some(Command::Check { file, json }) => {
            commands::check::run(&target, file.as_deref(), *json)
        }
        Some(Command::Reload { component, timeout }) => {
            commands::reload::run(&target, *component, *timeout)
        }
        Some(Command::RenderDocs { folder }) => commands::render_docs::run(folder),
    })
}
