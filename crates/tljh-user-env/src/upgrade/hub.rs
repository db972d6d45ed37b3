//! JupyterHub in a conda environment, brought to the hub's version. The rest of such an environment is its channels'
//! and its administrators'.

use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{HUB, read_manifest};
use crate::workshop::Workshop;

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
        let mut entries = self.bundle.entries()?.into_iter();
        let wanted = entries.find(|entry| entry.name == HUB);
        let packages = read_manifest(&self.generations.folder(record.number))?;
        let found = packages.iter().find(|package| package.is(HUB));
        Ok(wanted
            .map(|entry| entry.version)
            .filter(|version| found.is_none_or(|package| package.version != *version)))
    }
}
