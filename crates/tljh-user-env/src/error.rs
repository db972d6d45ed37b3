//! What can go wrong, and the one command that helps.

use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_machine::files::FileError;
use tljh_terminal::{Hinted, RenderError};

/// A failed operation of `tljh-user-env`.
#[derive(Debug, thiserror::Error)]
pub enum UserEnvError {
    /// Something that we did not make stands where the environment would be.
    #[error("`{}` is not empty and was not made by tljh-user-env", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// There is no complete environment.
    #[error("there is no complete user environment at `{}`", path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
    },
    /// The file system is too full to begin.
    #[error("the user environment needs {needed} MB in `{}`, and {free} MB are free", path.display())]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Megabytes needed.
        needed: u64,
        /// Megabytes free.
        free: u64,
    },
    /// The file system cannot be asked for its free space, or told to write.
    #[error("could not examine the file system of `{}`", path.display())]
    FileSystem {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An environment that was half made cannot be taken away.
    #[error("could not remove the unfinished environment `{}`", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The stamp is not what we wrote.
    #[error("the record `{}` of the user environment is damaged", path.display())]
    Stamp {
        /// The record.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// uv, Python or setfacl failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Manual pages cannot be written.
    #[error(transparent)]
    Docs(#[from] RenderError),
    /// Standard output is closed.
    #[error("could not print")]
    Print(#[source] std::io::Error),
}

impl Hinted for UserEnvError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { path } => Some(format!(
                "run `sudo mv {0} {0}.old && sudo tljh-user-env ensure`",
                path.display()
            )),
            Self::NoSpace { .. } => Some(
                "free some space (`df -h` shows where), then run `sudo tljh-user-env ensure`"
                    .into(),
            ),
            Self::Stamp { path, .. } => Some(format!(
                "run `sudo rm {}` and `sudo tljh-user-env ensure`",
                path.display()
            )),
            Self::File(error) => error.hint(),
            Self::Incomplete { .. } => Some("run `sudo tljh-user-env ensure`".into()),
            Self::Command(_) => {
                Some("run `sudo tljh-user-env ensure` again once that is mended".into())
            }
            _ => None,
        }
    }
}
