//! The record of every account that we made, so that purge removes those and no other.
//!
//! One file `<account>.json` each, on one line, which the purge script (plain sh) reads too.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use tljh_terminal::Hinted;

use crate::account::AccountName;
use crate::files::{self, FileError};
use crate::paths::Paths;

/// What is known about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its user number; `None` while it is being made.
    pub uid: Option<u32>,
    /// The hub user that it belongs to.
    pub hub_user: String,
    /// Groups that `users.extra_user_groups` gave it.
    #[serde(default)]
    pub groups: BTreeSet<String>,
}

impl Record {
    /// The record of an account that is about to be made.
    pub fn new(hub_user: &str) -> Self {
        Self {
            uid: None,
            hub_user: hub_user.into(),
            groups: BTreeSet::new(),
        }
    }
}

/// The registry could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its lock.
    #[error("could not lock the account registry `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record is not what we wrote.
    #[error("the account record `{}` is damaged", path.display())]
    Damaged {
        /// The record.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
}

impl Hinted for RegistryError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Lock { .. } | Self::Damaged { .. } => None,
        }
    }
}

/// The registry, locked as long as this value lives.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Registry {
    /// Opens the registry, and waits until nobody else has it.
    ///
    /// # Errors
    /// The folder or its lock cannot be made.
    pub fn open(paths: &Paths) -> Result<Self, RegistryError> {
        let folder = paths.account_registry();
        files::ensure_folder(&folder, 0o700)?;
        let path = folder.join(".lock");
        let failed = |source| RegistryError::Lock {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        let lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| failed(errno.into()))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    fn path(&self, account: &AccountName) -> PathBuf {
        self.folder.join(format!("{account}.json"))
    }

    /// The record of `account`; `None` if we did not make it.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(&self, account: &AccountName) -> Result<Option<Record>, RegistryError> {
        let path = self.path(account);
        files::read_optional(&path)?
            .map(|text| {
                serde_json::from_str(&text)
                    .map_err(|source| RegistryError::Damaged { path, source })
            })
            .transpose()
    }

    /// Every account and its record, by name.
    ///
    /// # Errors
    /// The folder cannot be read, or a record is damaged.
    pub fn list(&self) -> Result<Vec<(String, Record)>, RegistryError> {
        let mut accounts = Vec::new();
        for path in files::list_folder(&self.folder)? {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(".json"));
            let (Some(name), Some(text)) = (name, files::read_optional(&path)?) else {
                continue;
            };
            let record = serde_json::from_str(&text).map_err(|source| RegistryError::Damaged {
                path: path.clone(),
                source,
            })?;
            accounts.push((name.to_string(), record));
        }
        Ok(accounts)
    }

    /// Writes the record of `account`, durably.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, account: &AccountName, record: &Record) -> Result<(), RegistryError> {
        let path = self.path(account);
        let mut line = serde_json::to_string(record).map_err(|source| RegistryError::Damaged {
            path: path.clone(),
            source,
        })?;
        line.push('\n');
        Ok(files::write_atomically(&path, line.as_bytes(), 0o600)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_and_strangers_have_none() {
        let root = tempfile::tempdir().unwrap();
        let registry = Registry::open(&Paths::under(root.path())).unwrap();
        let account = AccountName::for_hub_user("alice");
        assert_eq!(registry.read(&account).unwrap(), None);
        let record = Record {
            uid: Some(1001),
            ..Record::new("alice")
        };
        registry.write(&account, &record).unwrap();
        assert_eq!(registry.read(&account).unwrap(), Some(record));
    }

    #[test]
    fn the_uid_stands_first_on_one_line_where_the_purge_script_looks_for_it() {
        let root = tempfile::tempdir().unwrap();
        let registry = Registry::open(&Paths::under(root.path())).unwrap();
        let account = AccountName::for_hub_user("a\n\"uid\":0");
        registry
            .write(
                &account,
                &Record {
                    uid: Some(1001),
                    ..Record::new("a\n\"uid\":0")
                },
            )
            .unwrap();
        let text = std::fs::read_to_string(registry.path(&account)).unwrap();
        assert!(text.starts_with("{\"uid\":1001,"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
