//! What can go wrong, and the one command that helps.

use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_machine::account::AccountError;
use tljh_machine::files::FileError;
use tljh_machine::registry::RegistryError;
use tljh_settings::SettingsError;
use tljh_settings::edit::EditError;
use tljh_settings::store::StoreError;
use tljh_terminal::{Hinted, RenderError};

use crate::adopt::AdoptError;
use crate::backup::BackupError;
use crate::migrations::{MigrationError, StateError};

/// A failed operation of `tljh-hub`.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A hub user cannot have an account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The registry of accounts cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The configuration cannot be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An administrator cannot be added to the configuration.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An installation of upstream's cannot be taken over, or brought back.
    #[error(transparent)]
    Adopt(Box<AdoptError>),
    /// It cannot be taken over while the package is configured.
    #[error("upstream's installation is not taken over yet; all of it is kept")]
    Adoption(#[source] Box<AdoptError>),
    /// A backup cannot be made or put back.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The version of the state cannot be worked with.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state could not be migrated.
    #[error(
        "the upgrade was stopped; the state is as it was, and a hub that runs does so as before"
    )]
    Migration(#[from] MigrationError),
    /// Nothing could go wrong without a way back.
    #[error("the upgrade was stopped: there could be no backup before it")]
    NoBackup(#[source] BackupError),
    /// The hub cannot start on this state.
    #[error("the hub cannot start")]
    Unmigrated(#[source] MigrationError),
    /// The program that migrates the state cannot be started.
    #[error("the state could not be migrated: no further process can be started")]
    NoMigration {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The hub that was started did not migrate the state.
    #[error("the hub was started again and does not migrate its state")]
    NotMigrated,
    /// Another program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Manual pages cannot be written.
    #[error(transparent)]
    Docs(#[from] RenderError),
    /// Standard output is closed.
    #[error("could not print")]
    Print(#[source] std::io::Error),
    /// Standard input cannot be read.
    #[error("could not read standard input")]
    Input(#[source] std::io::Error),
    /// The hub ended, or took too long.
    #[error("the hub was started and does not answer")]
    NoAnswer,
    /// JupyterHub did not start.
    #[error("could not start JupyterHub with `{}`", python.display())]
    Exec {
        /// The hub environment's Python.
        python: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// dpkg's call to set the package up.
    #[error(transparent)]
    NotConfigured(Box<HubError>),
    /// dpkg's call before the package is removed.
    #[error(transparent)]
    NotRemoved(Box<HubError>),
    /// dpkg called a script as Policy does not describe.
    #[error("dpkg's call `{script} {arguments}` is none that Debian Policy describes")]
    UnknownAction {
        /// The maintainer script.
        script: &'static str,
        /// Its arguments.
        arguments: String,
    },
    /// The user environment could not be made.
    #[error("the user environment `/opt/tljh/user` could not be made")]
    UserEnvironment(#[source] CommandError),
    /// A snippet fails, and there is nothing that worked before.
    #[error(
        "the hub does not start without the snippet `{}`, which may restrict who logs in, and nothing that worked before can take its place: {reason}",
        file.display()
    )]
    Snippet {
        /// The snippet.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The first configuration could not be rendered.
    #[error("could not write the first configuration")]
    Template(#[from] Box<handlebars::RenderError>),
    /// An administrator's name from the installation cannot be a hub user.
    #[error("`{name}` cannot be the name of an administrator")]
    AdminName {
        /// The name.
        name: String,
    },
}

impl Hinted for HubError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Account(error) => error.hint(),
            Self::Settings(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Edit(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Exec { .. } => Some("run `sudo apt install --reinstall tljh-hub`".into()),
            Self::Snippet { file, .. } => {
                Some(format!("correct it, or move it away: `{}`", file.display()))
            }
            Self::Adopt(error) => error.hint(),
            Self::Adoption(_) => Some(
                "when that is mended, run `sudo dpkg --configure -a`; to go back, run `sudo tljh-hub adopt undo`".into(),
            ),
            Self::Backup(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::UserEnvironment(_) | Self::Migration(_) | Self::NoBackup(_) => {
                Some("when that is mended, run `sudo dpkg --configure -a`".into())
            }
            Self::Unmigrated(error) => error.hint().or_else(|| {
                Some("to see what was there before, run `sudo tljh-hub backup list`".into())
            }),
            Self::NotMigrated => Some("run `sudo journalctl --unit jupyterhub`".into()),
            Self::AdminName { .. } => Some("run `sudo dpkg-reconfigure tljh`".into()),
            Self::NotConfigured(error) => Some(error.hint_again("run `sudo dpkg --configure -a`")),
            Self::NotRemoved(error) => Some(error.hint_again("run the same apt command again")),
            _ => None,
        }
    }
}

impl HubError {
    /// The hint where dpkg has to be told to try again, by `again`.
    fn hint_again(&self, again: &str) -> String {
        match self {
            Self::File(error) | Self::NoBackup(BackupError::File(error))
                if error.is_disk_full() =>
            {
                format!("free some space (`df -h` shows where), then {again}")
            }
            other => other
                .hint()
                .unwrap_or_else(|| format!("when that is mended, {again}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_in_dpkgs_calls_says_how_dpkg_tries_again() {
        let failed = || {
            Box::new(HubError::Command(CommandError::Deadline {
                line: "systemctl stop -- jupyterhub.service".into(),
                seconds: 60,
            }))
        };
        for (error, hint) in [
            (
                HubError::NotConfigured(failed()),
                "when that is mended, run `sudo dpkg --configure -a`",
            ),
            (
                HubError::NotRemoved(failed()),
                "when that is mended, run the same apt command again",
            ),
            (
                HubError::NotConfigured(Box::new(HubError::AdminName { name: "x y".into() })),
                "run `sudo dpkg-reconfigure tljh`",
            ),
        ] {
            assert_eq!(error.hint().as_deref(), Some(hint));
            assert!(!error.to_string().is_empty());
        }
    }
}
