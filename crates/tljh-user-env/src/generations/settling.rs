//! What is left to do for an environment after it has changed: it is compiled and copied beside the lesson, and goes on
//! after a reboot when the hub starts (tljh-user-env-compile.service).

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tljh_machine::files;

use super::Generations;
use crate::error::UserEnvError;

/// Stands beside the generations from a change until somebody settles it; the unit's condition names it.
const UNSETTLED: &str = ".unsettled";
/// The same mark while somebody is at it. A change in the meantime makes the first one anew, so that the end of the
/// work for the change before does not take it away. The unit's condition names this one too.
const SETTLING: &str = ".settling";

impl Generations {
    /// Writes down that the active generation is to be compiled and copied.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn mark_unsettled(&self) -> Result<(), UserEnvError> {
        Ok(files::write_atomically(
            &self.folder.join(UNSETTLED),
            b"",
            0o644,
        )?)
    }

    /// Whether there is anything to settle, be it what somebody else began and did not end; says that it is begun.
    ///
    /// # Errors
    /// The mark cannot be moved.
    pub fn begin_settling(&self) -> Result<bool, UserEnvError> {
        let settling = self.settling();
        match fs::rename(self.folder.join(UNSETTLED), &settling) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(settling.exists()),
            Err(source) => Err(UserEnvError::FileSystem {
                path: settling,
                source,
            }),
        }
    }

    /// What was begun is done.
    ///
    /// # Errors
    /// The mark cannot be removed.
    pub fn end_settling(&self) -> Result<(), UserEnvError> {
        Ok(files::ensure_absent(&self.settling())?)
    }

    /// Takes the marks of an environment away that goes.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn forget_settling(&self) -> Result<(), UserEnvError> {
        files::ensure_absent(&self.folder.join(UNSETTLED))?;
        self.end_settling()
    }

    fn settling(&self) -> PathBuf {
        self.folder.join(SETTLING)
    }
}

#[cfg(test)]
mod tests {
    use tljh_machine::Paths;

    use super::*;

    #[test]
    fn a_change_while_the_one_before_is_settled_is_settled_too() {
        let root = tempfile::tempdir().unwrap();
        let generations = Generations::new(&Paths::under(root.path()));
        fs::create_dir_all(generations.root()).unwrap();
        assert!(!generations.begin_settling().unwrap());
        generations.mark_unsettled().unwrap();
        assert!(generations.begin_settling().unwrap());
        generations.mark_unsettled().unwrap();
        generations.end_settling().unwrap();
        assert!(generations.begin_settling().unwrap());
        // Killed before its end.
        assert!(generations.begin_settling().unwrap());
        generations.end_settling().unwrap();
        assert!(!generations.begin_settling().unwrap());
    }
}
