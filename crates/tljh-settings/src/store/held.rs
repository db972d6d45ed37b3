//! The file, held against other writers for as long as a person needs.

use std::fs::{self, File};
use std::io;

use nix::fcntl::Flock;

use super::{Store, StoreError};
use crate::error::SettingsError;

/// The file's lock. Others can read meanwhile, and wait if they want to write.
#[derive(Debug)]
pub struct Held<'store> {
    store: &'store Store,
    _lock: Flock<File>,
}

impl Store {
    /// Takes the lock until the result is dropped.
    ///
    /// # Errors
    /// The lock cannot be opened, or another program keeps it.
    pub fn hold(&self) -> Result<Held<'_>, StoreError> {
        Ok(Held {
            store: self,
            _lock: self.lock()?,
        })
    }

    /// The file's text, be it a configuration or not. A missing file is empty.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read_text(&self) -> Result<String, StoreError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(source) => Err(SettingsError::Read {
                path: self.path.clone(),
                source,
            }
            .into()),
        }
    }
}

impl Held<'_> {
    /// Replaces the whole file by `text`, unchecked, as a save does.
    ///
    /// # Errors
    /// The text cannot be written; the file is then as it was.
    pub fn replace(&self, text: &str) -> Result<(), StoreError> {
        self.store.save(text).map_err(|source| StoreError::Write {
            path: self.store.path.clone(),
            source,
        })
    }
}
