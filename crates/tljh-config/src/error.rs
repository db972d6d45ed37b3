//! What can go wrong, and the command that helps.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tljh_machine::CommandError;
use tljh_machine::files::FileError;
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
    /// The key that is asked for is not known.
    #[error("{unknown}")]
    NoSuchKey {
        /// The key, and what was probably meant.
        unknown: UnknownKey,
        /// The command that shows something.
        instead: String,
    },
    /// The value is no JSON. It is not repeated: it may be a secret.
    #[error("the value for `{key}` is not valid JSON at line {line}, column {column}")]
    Json {
        /// Dotted name.
        key: String,
        /// Line of the mistake, the first being 1.
        line: usize,
        /// Column of the mistake, the first being 1.
        column: usize,
    },
    /// Standard input could not be read.
    #[error("could not read standard input")]
    Input(#[source] io::Error),
    /// The file to merge could not be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The variable that names the editor has an open quote.
    #[error("`{variable}` is `{value}`, which is no command")]
    EditorWords {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// The editor could not be started.
    #[error("could not start the editor `{editor}`; nothing is changed")]
    EditorMissing {
        /// Its command.
        editor: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The editor ended with a failure, which counts as giving up.
    #[error("the editor `{editor}` ended with {status}; the edit is discarded")]
    EditorFailed {
        /// Its command.
        editor: String,
        /// Its end.
        status: ExitStatus,
    },
    /// The copy for the editor, or the draft, could not be read or written.
    #[error("could not work on `{}`", path.display())]
    Draft {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that may be another user's lies where the copy or the draft belongs.
    #[error("`{}` does not belong to this user alone", path.display())]
    Foreign {
        /// The file or folder.
        path: PathBuf,
    },
    /// Ctrl-C could not be left to the editor.
    #[error("could not prepare for signals")]
    Signal(#[source] io::Error),
    /// The edit was given up.
    #[error("discarded; `{}` is unchanged", path.display())]
    Discarded {
        /// The configuration.
        path: PathBuf,
    },
    /// The edit was put off.
    #[error("not written; the draft is kept in `{}`", draft.display())]
    DraftKept {
        /// The draft.
        draft: PathBuf,
        /// The command that goes on with it.
        again: String,
    },
    /// A completion could not be written.
    #[error("could not write `{}`", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lock of those who apply a configuration cannot be used.
    #[error("could not lock `{}`", path.display())]
    Turn {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another program has been applying a configuration for too long.
    #[error("{holder} has been applying a configuration for {} seconds; nothing is applied", waited.as_secs())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long this one waited.
        waited: Duration,
        /// The other program.
        holder: String,
    },
    /// A unit could not be reloaded or restarted.
    #[error("could not reload `{unit}`{}", log_of(journal))]
    Renew {
        /// The unit.
        unit: &'static str,
        /// The last lines of its log.
        journal: String,
        /// What systemctl said.
        #[source]
        source: CommandError,
    },
    /// A unit was reloaded or restarted and does not answer.
    #[error(
        "`{unit}` was reloaded and did not answer on port {port} within {seconds} s{}",
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
    /// The hub's Python cannot use the configuration.
    #[error("the hub cannot use the configuration: {}", listed(problems))]
    Unloadable {
        /// What it says; at least one.
        problems: Vec<Problem>,
    },
    /// The hub's Python could not be asked.
    #[error("could not ask the hub's Python about the configuration")]
    Deep(#[source] CommandError),
    /// A new configuration did not work, and an older one does again.
    #[error(
        "not applied: configuration {number}, the last one that worked, is back in its place; the one that failed is in `{}`",
        aside.display()
    )]
    RolledBack {
        /// Number in the history.
        number: u64,
        /// Where the failed one is.
        aside: PathBuf,
        /// What failed.
        #[source]
        cause: Box<Error>,
    },
    /// A new configuration did not work, nor did going back.
    #[error(
        "not applied, and the last configuration that worked could not be put back: {rollback}"
    )]
    RollbackFailed {
        /// Why going back failed.
        rollback: Box<Error>,
        /// What failed at first.
        #[source]
        cause: Box<Error>,
    },
    /// The history has no such version.
    #[error("there is no configuration {number} in the history")]
    NoVersion {
        /// The number.
        number: u64,
    },
    /// The history has nothing to go back to.
    #[error("no other configuration has worked before")]
    NothingEarlier,
    /// A file beside the configuration, or of the history, could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file that was checked has errors.
    #[error("`{name}` has {}{shown}", counted(*errors, "error"))]
    Invalid {
        /// What was checked.
        name: String,
        /// How many.
        errors: usize,
        /// The errors at their places, on lines of their own; empty where they were printed before.
        shown: String,
    },
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
    /// A configuration for another program could not be rendered.
    #[error("could not render the example")]
    Example(#[from] Box<handlebars::RenderError>),
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
            Self::Renew { unit, .. } | Self::NoAnswer { unit, .. } => {
                Some(format!("see its whole log: `sudo journalctl -u {unit}`"))
            }
            Self::Unloadable { .. } => {
                Some("see all of it: `sudo tljh-config check --deep`".to_string())
            }
            Self::Deep(_) => Some("run `sudo apt install --reinstall tljh-hub`".to_string()),
            Self::RolledBack { cause, .. } => cause.hint(),
            Self::RollbackFailed { rollback, .. } => rollback.hint(),
            Self::Busy { path, .. } => Some(format!(
                "see which program it is: `sudo fuser -v {}`",
                path.display()
            )),
            Self::NoVersion { .. } | Self::NothingEarlier => {
                Some("see which there are: `sudo tljh-config history`".to_string())
            }
            Self::File(error) => error.hint(),
            Self::NoSuchKey { instead, .. } => Some(format!("try `{instead}`")),
            Self::Json { .. } => Some("see examples: `tljh-config set --help`".to_string()),
            Self::EditorWords { .. } | Self::EditorMissing { .. } => {
                Some("name another editor: `sudo EDITOR=nano tljh-config edit`".to_string())
            }
            Self::Foreign { path } => Some(format!(
                "look at it, then move it away: `ls -ld {}`",
                path.display()
            )),
            Self::DraftKept { again, .. } => Some(format!("to go on with it, run `{again}`")),
            Self::Draft { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run the same command with `sudo` before it".to_string())
            }
            Self::Invalid { shown, name, .. } if !shown.is_empty() => {
                Some(tljh_settings::correct(Some(Path::new(name))))
            }
            Self::Invalid { .. }
            | Self::Input(_)
            | Self::Schema { .. }
            | Self::Read { .. }
            | Self::EditorFailed { .. }
            | Self::Draft { .. }
            | Self::Signal(_)
            | Self::Discarded { .. }
            | Self::Script { .. }
            | Self::Print(_)
            | Self::Turn { .. }
            | Self::Example(_)
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
