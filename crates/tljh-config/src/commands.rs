//! One module for each subcommand, and what they share.

pub mod add_item;
pub mod check;
mod edit;
pub mod reload;
pub mod remove_item;
pub mod render_docs;
pub mod set;
pub mod show;
pub mod unset;

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use tljh_settings::store::Store;

use crate::cli::Cli;
use crate::error::Error;

/// The file to work on, and under which rules.
#[derive(Debug)]
pub struct Target {
    store: Store,
    /// Whether the path was given, so that its own permissions decide.
    own_path: bool,
    validate: bool,
}

impl Target {
    /// What the global flags ask for.
    pub fn of(cli: &Cli) -> Self {
        let path = cli.config_path.clone();
        Self {
            own_path: path.is_some(),
            store: Store::new(path.unwrap_or_else(|| PathBuf::from(tljh_settings::CONFIG_PATH))),
            validate: !cli.no_validate,
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
}

fn require_root() -> Result<(), Error> {
    if users::get_effective_uid() == 0 {
        Ok(())
    } else {
        Err(Error::NotRoot)
    }
}

/// Writes `text` to standard output; a reader that went away is no failure.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Print(error)),
        _ => Ok(()),
    }
}
