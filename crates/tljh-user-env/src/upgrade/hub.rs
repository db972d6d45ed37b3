//! JupyterHub in a conda environment, brought to the hub's version. The rest of such an environment is its channels'
//! and its administrators'.

use std::path::Path;

use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{HUB, Package, read_manifest};
use crate::record::Record;
use crate::workshop::Workshop;

/// JupyterHub as it is in an environment.
///
/// # Errors
/// The environment cannot be read.
pub fn hub_of(folder: &Path) -> Result<Option<Package>, UserEnvError> {
    let packages = read_manifest(folder)?;
    Ok(packages.into_iter().find(|package| package.is(HUB)))
}

impl Workshop<'_> {
    /// The hub's version, where the active generation is conda's and has another one.
    ///
    /// # Errors
    /// There is no complete generation, or the lock cannot be read.
    pub fn other_hub(&self) -> Result<Option<String>, UserEnvError> {
        let record = self.generations.active_record()?;
        if record.engine != Engine::Conda {
            return Ok(None);
        }
        let found = hub_of(&self.generations.folder(record.number))?;
        Ok(self
            .hubs_version()?
            .filter(|version| found.is_none_or(|package| package.version != *version)))
    }

    /// The version of JupyterHub in a generation, where the hub has another one.
    ///
    /// # Errors
    /// The generation or the lock cannot be read.
    pub fn hub_beside(&self, record: &Record) -> Result<Option<String>, UserEnvError> {
        let wanted = self.hubs_version()?;
        let found = hub_of(&self.generations.folder(record.number))?;
        Ok(found
            .map(|package| package.version)
            .filter(|version| wanted.is_some_and(|wanted| wanted != *version)))
    }

    fn hubs_version(&self) -> Result<Option<String>, UserEnvError> {
        let mut entries = self.bundle.entries()?.into_iter();
        Ok(entries
            .find(|entry| entry.name == HUB)
            .map(|entry| entry.version))
    }
}
