//! What can go wrong with an adoption.

use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_machine::account::AccountError;
use tljh_machine::files::FileError;
use tljh_machine::registry::RegistryError;
use tljh_terminal::Hinted;

use crate::backup::BackupError;

/// An adoption could not be done, undone or committed.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// A file cannot be read, written or moved.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The record of accounts cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An account cannot be recorded.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// What was there cannot be kept.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The journal is not what we wrote.
    #[error("the journal of the adoption, `{}`, is damaged", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// Another program of ours answered what it never does.
    #[error("`{program}` gave an answer that cannot be read")]
    Answer {
        /// The program.
        program: &'static str,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// Nothing of upstream's is kept.
    #[error("there is no adoption: nothing of upstream's is kept on this machine")]
    None,
    /// The package is not configured yet.
    #[error("the adoption is not finished, and nothing was deleted")]
    Unfinished,
    /// The one who asks would be ended by what they ask for.
    #[error(
        "this terminal belongs to a server of the hub, which ends meanwhile; nothing was changed"
    )]
    OwnServer,
    /// The answer was not yes.
    #[error("nothing was changed")]
    NotAgreed,
    /// There is nobody to ask.
    #[error("there is no terminal to ask on, and nothing was changed")]
    NobodyToAsk,
    /// Standard input cannot be read.
    #[error("could not read the answer")]
    Input(#[source] std::io::Error),
    /// The packages are still there, or half of them.
    #[error("the packages could not be removed")]
    Packages(#[source] CommandError),
}

impl Hinted for AdoptError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Account(error) => error.hint(),
            Self::Backup(error) => error.hint(),
            Self::Unfinished => Some("finish it: run `sudo dpkg --configure -a`".into()),
            Self::OwnServer => Some("log in over ssh, and run the same command there".into()),
            Self::NobodyToAsk => Some("add `--yes` to the same command".into()),
            Self::Packages(_) => {
                Some("once no other apt runs, run `sudo tljh-hub adopt undo` again".into())
            }
            _ => None,
        }
    }
}
