//! What can go wrong with backups.

use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_machine::files::FileError;
use tljh_terminal::Hinted;

use crate::migrations::StateError;
use crate::packages;

/// A backup could not be made or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The hub's database cannot be copied.
    #[error(transparent)]
    Database(#[from] CommandError),
    /// The version of the state is unknown.
    #[error(transparent)]
    State(#[from] StateError),
    /// The lock cannot be had.
    #[error("could not lock the backups with `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The password database was never at rest.
    #[error("`{}` changes all the time and could not be copied", path.display())]
    Restless {
        /// The password database.
        path: PathBuf,
    },
    /// There is none at all.
    #[error("there is no backup")]
    None,
    /// There is none of this number.
    #[error("there is no backup `{number}`")]
    Unknown {
        /// The number.
        number: u64,
    },
    /// It is not what we wrote, whole.
    #[error("the backup `{number}` cannot be used, and nothing was changed: {what}")]
    Damaged {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Its state is not one that this version can work with.
    #[error("the backup `{number}` cannot be used by this version, and nothing was changed")]
    Unsuitable {
        /// Its number.
        number: u64,
        /// Version of the package whose state it is.
        package: String,
        /// Why.
        #[source]
        source: StateError,
    },
}

impl Hinted for BackupError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::None => Some("run `sudo tljh-hub backup create`".into()),
            Self::Unknown { .. } | Self::Damaged { .. } => {
                Some("to see those that there are, run `sudo tljh-hub backup list`".into())
            }
            Self::Unsuitable { package, .. } => Some(format!(
                "it is of version {package}: run `sudo apt install {}` first",
                packages::all_of(package)
            )),
            Self::Restless { .. } => Some("run the same command again".into()),
            Self::Database(_) | Self::Lock { .. } => None,
        }
    }
}
