//! What interrupted work left behind.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tljh_machine::files;

use super::{Active, Generations, wait_until_written};
use crate::build::BUNDLE_CACHE;
use crate::error::UserEnvError;
use crate::workshop::{CACHE, CONDA_CACHE};

/// A file that is being written for longer is what somebody left who was killed.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);

impl Generations {
    /// Removes what interrupted work left: unfinished generations and half-made copies. The active one stays, whatever
    /// its record says.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn clean(&self) -> Result<(), UserEnvError> {
        let active = self.active()?;
        for number in self.numbers()? {
            // A damaged record says nothing about its generation.
            let unfinished = self.ready(number).is_ok_and(|record| record.is_none());
            if unfinished && active != Active::Generation(number) {
                log::info!("removing generation {number}, which was not finished");
                if is_of_an_earlier_boot(&self.record_path(number)) {
                    self.drop_caches()?;
                }
                self.remove(number)?;
            }
        }
        if self.folder.is_dir() {
            // Beside those who have the turn, others write here about everybody's.
            let age = if self.name.is_some() {
                Duration::ZERO
            } else {
                LONGEST_WRITE
            };
            files::ensure_no_leftovers(&self.folder, age)?;
        }
        Ok(files::ensure_tree_absent(&self.sealing())?)
    }

    /// Returns once what was fetched and unpacked is on the disk.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn wait_for_caches(&self) -> Result<(), UserEnvError> {
        wait_until_written(&self.folder)
    }

    /// Drops what was fetched and unpacked. A power cut may have left files there without their content, and whoever
    /// unpacks has nobody look at them again.
    fn drop_caches(&self) -> Result<(), UserEnvError> {
        for name in [CACHE, CONDA_CACHE, BUNDLE_CACHE] {
            files::ensure_tree_absent(&self.caches.join(name))?;
        }
        Ok(())
    }
}

/// Whether the file was last written before the machine was started, or nobody can tell.
fn is_of_an_earlier_boot(path: &Path) -> bool {
    let Ok(booted) = procfs::boot_time_secs() else {
        return true;
    };
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    written.map_or(true, |time| time < UNIX_EPOCH + Duration::from_secs(booted))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;

    use tljh_machine::Paths;

    use super::*;
    use crate::engine::Engine;
    use crate::named::EnvironmentName;
    use crate::record::Record;

    fn interrupted(generations: &Generations) {
        let record = Record::begin(1, Engine::Venv, None, BTreeSet::new());
        fs::create_dir_all(generations.folder(1)).unwrap();
        generations.write(&record).unwrap();
    }

    #[test]
    fn what_was_unpacked_before_a_power_cut_is_not_used_again() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let everybodys = Generations::new(&paths);
        let name: EnvironmentName = "class".parse().unwrap();
        for generations in [everybodys.clone(), Generations::named(&paths, &name)] {
            let unpacked = everybodys.cache(CACHE).join("archive");
            for power_cut in [false, true] {
                interrupted(&generations);
                fs::create_dir_all(&unpacked).unwrap();
                if power_cut {
                    let record = File::options()
                        .write(true)
                        .open(generations.record_path(1))
                        .unwrap();
                    record.set_modified(UNIX_EPOCH).unwrap();
                }
                generations.clean().unwrap();
                assert!(!generations.folder(1).exists());
                assert_eq!(unpacked.exists(), !power_cut);
            }
        }
    }
}
