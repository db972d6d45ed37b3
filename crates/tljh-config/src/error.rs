//! What can go wrong, and the command that helps.

use std::io;
use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_settings::edit::EditError;
use tljh_settings::store::StoreError;
use tljh_settings::{Problem, SettingsError, UnknownKey};
use tljh_terminal::{Hinted, RenderError};

use crate::commands::check::counted;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user is not root. The words are upstream's.
    #[error("tljh-config needs root privileges to run")]
    NotRoot,
    /// The file could not be read, locked or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The edit is impossible.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The configuration to apply has wrong values.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file would have wrong values.
    #[error("not written: {}", listed(problems))]
    Refused {
        /// What is wrong.
        problems: Vec<Problem>,
        /// The command that writes it all the same.
        forced: String,
    },
    /// The key is a section.
    #[error("not written: `{key}` holds further keys, such as `{example}`")]
    Section {
        /// Dotted name.
        key: String,
        /// A key in it.
        example: String,
        /// The command that writes it all the same.
        forced: String,
    },
    /// The key is a list, and the command would replace it by one value.
    #[error("not written: `{key}` is a list")]
    List {
        /// Dotted name.
        key: String,
        /// The command that adds to it.
        instead: String,
    },
    /// The key is not known.
    #[error("not written: {unknown}")]
    Unknown {
        /// The key, and what was probably meant.
        unknown: UnknownKey,
        /// The command that writes it all the same.
        forced: String,
    },
    /// A unit could not be restarted.
    #[error("could not restart `{unit}`{}", log_of(journal))]
    Restart {
        /// The unit.
        unit: &'static str,
        /// The last lines of its log.
        journal: String,
        /// What systemctl said.
        #[source]
        source: CommandError,
    },
    /// A unit was restarted and does not answer.
    #[error(
        "`{unit}` was restarted and did not answer on port {port} within {seconds} s{}",
        log_of(journal)
    )]
    NoAnswer {
        /// The unit.
        unit: &'static str,
        /// Where it was asked.
        port: u16,
        /// How long.
        seconds: u64,
        /// The last lines of its log.
        journal: String,
    },
    /// The file that was checked has errors.
    #[error("`{name}` has {}", counted(*errors, "error"))]
    Invalid {
        /// What was checked.
        name: String,
        /// How many.
        errors: usize,
    },
    /// Standard input cannot be read.
    #[error("could not read standard input")]
    Input(#[source] io::Error),
    /// Standard output is closed.
    #[error("could not print")]
    Print(#[source] io::Error),
    /// The schema could not be written.
    #[error("could not write `{}`", path.display())]
    Schema {
        /// Where to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Manual pages could not be written.
    #[error(transparent)]
    Docs(#[from] RenderError),
}

impl Hinted for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot => {
                Some("try using sudo before the tljh-config command you wanted to run".to_string())
            }
            Self::Store(error) => error.hint(),
            Self::Edit(error) => error.hint(),
            Self::Settings(error) => error.hint(),
            Self::Refused { forced, .. }
            | Self::Section { forced, .. }
            | Self::Unknown { forced, .. } => {
                Some(format!("to write it without a check, run `{forced}`"))
            }
            Self::List { instead, .. } => Some(format!("to add to it, run `{instead}`")),
            Self::Restart { unit, .. } | Self::NoAnswer { unit, .. } => {
                Some(format!("see its whole log: `sudo journalctl -u {unit}`"))
            }
            Self::Invalid { .. }
            | Self::Input(_)
            | Self::Print(_)
            | Self::Schema { .. }
            | Self::Docs(_) => None,
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn log_of(journal: &str) -> String {
    if journal.trim().is_empty() {
        return String::new();
    }
    let lines: Vec<String> = journal
        .trim_end()
        .lines()
        .map(|line| format!("\n  {line}"))
        .collect();
    format!("; the end of its log:{}", lines.concat())
}
