//! One module for each subcommand, and what they share.

mod add_item;
mod apply;
mod change;
pub mod check;
pub mod deep;
mod diff;
mod edit;
mod example;
mod get;
mod history;
mod inspect;
mod items;
mod reload;
mod remove_item;
mod render_docs;
mod rollback;
mod set;
mod show;
mod unset;

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::CommandFactory as _;
use tljh_machine::files;
use tljh_settings::store::Store;

use crate::cli::{Cli, Command};
use crate::error::Error;

/// Does what the command line asks for.
pub fn run(cli: &Cli) -> Result<(), Error> {
    let target = Target::of(cli);
    match &cli.command {
        None => print(&Cli::command().render_help().to_string()),
        Some(Command::Show(words)) => show::run(&target, words),
        Some(Command::Get(words)) => get::run(&target, words),
        Some(Command::Set(words)) => set::run(&target, words),
        Some(Command::Unset { key_path }) => unset::run(&target, key_path),
        Some(Command::AddItem(words)) => add_item::run(&target, words),
        Some(Command::RemoveItem(words)) => remove_item::run(&target, words),
        Some(Command::Apply { file }) => apply::run(&target, file),
        Some(Command::Example(words)) => example::run(&target, words),
        Some(Command::Edit) => edit::run(&target),
        Some(Command::Check { file, deep, json }) => {
            check::run(&target, file.as_deref(), *deep, *json)
        }
        Some(Command::Reload {
            component,
            timeout,
            no_rollback,
        }) => reload::run(&target, *component, *timeout, !no_rollback),
        Some(Command::History { json }) => history::run(&target, *json),
        Some(Command::Diff { number }) => diff::run(&target, *number),
        Some(Command::Rollback { number, timeout }) => rollback::run(&target, *number, *timeout),
        Some(Command::RenderDocs { folder }) => render_docs::run(folder),
    }
}

/// The file to work on, and under which rules.
#[derive(Debug)]
pub struct Target {
    store: Store,
    /// Whether the path was given, so that its own permissions decide.
    own_path: bool,
    validate: bool,
    dry_run: bool,
}

impl Target {
    /// What the global flags ask for.
    fn of(cli: &Cli) -> Self {
        let path = cli.config_path.clone();
        Self {
            own_path: path.is_some(),
            store: Store::new(path.unwrap_or_else(|| PathBuf::from(tljh_settings::CONFIG_PATH))),
            validate: !cli.no_validate,
            dry_run: cli.dry_run,
        }
    }

    /// How a command for the same file begins, for hints.
    fn program(&self) -> String {
        if self.own_path {
            format!("tljh-config --config-path {}", self.store.path().display())
        } else {
            "sudo tljh-config".to_string()
        }
    }

    /// The file, for a user who may ask for it.
    fn store(&self) -> Result<&Store, Error> {
        if !self.own_path {
            require_root()?;
        }
        Ok(&self.store)
    }

    /// Keeps `text` in a private file beside the configuration, with `suffix` after its name.
    fn set_aside(&self, text: &str, suffix: &str) -> Result<PathBuf, Error> {
        let mut name = self.store.path().as_os_str().to_owned();
        name.push(".");
        name.push(suffix);
        let path = PathBuf::from(name);
        files::write_atomically(&path, text.as_bytes(), 0o600)?;
        Ok(path)
    }
}

fn require_root() -> Result<(), Error> {
    if users::get_effective_uid() == 0 {
        Ok(())
    } else {
        Err(Error::NotRoot)
    }
}

/// Writes `text` to standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Print(error)),
        _ => Ok(()),
    }
}
