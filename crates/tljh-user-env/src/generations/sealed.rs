//! A copy of the active generation as it was made, out of everybody's reach.

use std::fs;
use std::path::PathBuf;

use tljh_machine::{Runner, files, tree};

use super::shared::{ensure_shared_folder, may_share};
use super::{Generations, wait_until_written};
use crate::error::UserEnvError;

impl Generations {
    /// Keeps a copy of a generation as it is now, out of everybody's reach, unless there is one: what people change by
    /// hand in the active generation can be taken back.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn seal(&self, runner: &dyn Runner, number: u64) -> Result<(), UserEnvError> {
        let sealed = self.sealed(number);
        if sealed.is_dir() {
            return Ok(());
        }
        let new = self.sealing();
        files::ensure_tree_absent(&new)?;
        self.ensure_private()?;
        ensure_shared_folder(runner, &new)?;
        tree::clone_tree(&self.folder(number), &new, &may_share)?;
        files::ensure_folder(&self.private().join("sealed"), 0o700)?;
        // Where a copy stands it is taken for whole, also after a power cut.
        wait_until_written(&new)?;
        fs::rename(&new, &sealed).map_err(|source| UserEnvError::FileSystem {
            path: sealed,
            source,
        })
    }

    /// The kept copy of a generation, which may be missing.
    pub fn sealed(&self, number: u64) -> PathBuf {
        self.private().join("sealed").join(number.to_string())
    }

    /// Drops the kept copies of all generations but `number` and the one that is the bundle's own: others are changed by
    /// nobody while they are not active, and that one is where the last way back ends.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn drop_seals_but(&self, number: u64) -> Result<(), UserEnvError> {
        let folder = self.private().join("sealed");
        if !folder.is_dir() {
            return Ok(());
        }
        let pristine = self.pristine()?.map(|pristine| self.sealed(pristine));
        for path in files::list_folder(&folder)? {
            if path != self.sealed(number) && Some(&path) != pristine.as_ref() {
                files::ensure_tree_absent(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn sealing(&self) -> PathBuf {
        self.private().join("sealing")
    }
}
