//! Backups of what an installation cannot make anew: configuration, hub database, passwords, secrets and the records of
//! accounts.
//!
//! Homes and environments are not in them: they are large, and no upgrade changes what is in them. A backup is a folder
//! `/var/lib/tljh/backups/NUMBER`, made under another name and renamed when it is whole and on the disk; numbers grow
//! and are never used again. In it `backup.json` ([`Manifest`]) lists every file with its hash, `files/` holds them below
//! their paths, and `state-version` is there for preinst, which is sh. A folder and no archive: it needs no packer, a
//! person in need can copy a file out of it, and a database of a class is a few hundred kilobytes.

mod check;
mod contents;
mod error;
mod manifest;
mod put_back;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{SubsecRound as _, Utc};
use nix::fcntl::{Flock, FlockArg};
use tljh_machine::{Paths, Runner, durable, files};

pub use error::BackupError;
pub use manifest::{Manifest, Reason};

/// How many of the newest are kept.
const KEPT: usize = 10;
/// Bytes that all backups may take together; the newest is kept in any case.
const KEPT_BYTES: u64 = 1 << 30;
/// Bytes that are left free on the disk.
const SPARE: u64 = 16 << 20;
/// Where a backup is made before it gets its number.
const ASIDE: &str = ".new";

/// A whole backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its number, from 1.
    pub number: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// The backups, and all that they are copies of, as long as nobody else may change either.
#[derive(Debug)]
pub struct Backups {
    paths: Paths,
    _lock: Flock<File>,
}

impl Backups {
    /// Waits until nobody else makes or puts back a backup, nor migrates the state.
    ///
    /// # Errors
    /// The folder or its lock cannot be made.
    pub fn open(paths: &Paths) -> Result<Self, BackupError> {
        let folder = paths.backups();
        files::ensure_folder(&folder, 0o700)?;
        let path = folder.join(".lock");
        let failed = |source| BackupError::Lock {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| failed(errno.into()))?;
        files::ensure_tree_absent(&folder.join(ASIDE))?;
        Ok(Self {
            paths: paths.clone(),
            _lock: lock,
        })
    }

    /// Makes a backup of what is there now, a running hub's database included, and removes those that are too many.
    /// `package` is the version whose state it is.
    ///
    /// # Errors
    /// There is no room, or something cannot be read or written; all other backups are then as they were.
    pub fn create(
        &self,
        runner: &dyn Runner,
        package: &str,
        reason: Reason,
    ) -> Result<Backup, BackupError> {
        self.create_keeping(runner, package, reason, None)
    }

    /// As [`Backups::create`]; the backup `kept` is not removed.
    ///
    /// # Errors
    /// As [`Backups::create`].
    pub fn create_keeping(
        &self,
        runner: &dyn Runner,
        package: &str,
        reason: Reason,
        kept: Option<u64>,
    ) -> Result<Backup, BackupError> {
        let folder = self.paths.backups();
        let aside = folder.join(ASIDE);
        let made = self.fill(runner, &aside, package, reason);
        let manifest = match made {
            Ok(manifest) => manifest,
            Err(error) => {
                files::ensure_tree_absent(&aside)?;
                return Err(error);
            }
        };
        let number = numbers(&folder)?.last().map_or(1, |last| last + 1);
        let place = folder.join(number.to_string());
        durable::replace(&aside, &place)?;
        self.prune(kept)?;
        Ok(Backup {
            number,
            folder: place,
            manifest,
        })
    }

    fn fill(
        &self,
        runner: &dyn Runner,
        aside: &Path,
        package: &str,
        reason: Reason,
    ) -> Result<Manifest, BackupError> {
        files::ensure_folder(aside, 0o700)?;
        self.ensure_room(0)?;
        // What cannot be read as a database is what a restore is to replace.
        let damaged = matches!(reason, Reason::Restore { .. });
        let entries = contents::copy(&self.paths, runner, &aside.join(manifest::FILES), damaged)?;
        let manifest = Manifest {
            format: manifest::FORMAT,
            time: Utc::now().trunc_subsecs(0),
            package: package.into(),
            state_version: crate::migrations::read_version(&self.paths)?,
            reason,
            entries,
        };
        manifest.write(aside)?;
        durable::sync_folders(aside)?;
        Ok(manifest)
    }

    /// Makes sure that a backup of what is there now, and `more` bytes, fit on the disk.
    ///
    /// # Errors
    /// They do not.
    pub fn ensure_room(&self, more: u64) -> Result<(), BackupError> {
        let folder = self.paths.backups();
        let needed = contents::size(&self.paths) + more + SPARE;
        let free = durable::free_space(&folder)?;
        if free < needed {
            log::debug!("{needed} bytes are needed and {free} free");
            return Err(durable::disk_full(&folder).into());
        }
        Ok(())
    }

    /// Removes one backup.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, number: u64) -> Result<(), BackupError> {
        let place = self.paths.backups().join(number.to_string());
        // First out of the list, for half a backup is none.
        let aside = self.paths.backups().join(ASIDE);
        durable::replace(&place, &aside)?;
        Ok(files::ensure_tree_absent(&aside)?)
    }

    /// Keeps the newest [`KEPT`] and the newest of each version of the state, which a downgrade needs; of these again
    /// the newest that fit into [`KEPT_BYTES`]. A newer backup before the same upgrade takes the place of an older one.
    fn prune(&self, kept: Option<u64>) -> Result<(), BackupError> {
        for number in superfluous(&list(&self.paths)?, KEPT_BYTES) {
            if kept != Some(number) {
                self.remove(number)?;
            }
        }
        Ok(())
    }
}

/// The whole backups, newest first; what else is in the folder is passed over.
///
/// # Errors
/// The folder cannot be read.
pub fn list(paths: &Paths) -> Result<Vec<Backup>, BackupError> {
    let folder = paths.backups();
    let numbers = numbers(&folder)?.into_iter().rev();
    Ok(numbers
        .filter_map(|number| find(paths, number).ok())
        .collect())
}

/// The backup `number`; its files are not looked at.
///
/// # Errors
/// There is none, or it was not made by us.
pub fn find(paths: &Paths, number: u64) -> Result<Backup, BackupError> {
    let folder = paths.backups().join(number.to_string());
    if !folder.is_dir() {
        return Err(BackupError::Unknown { number });
    }
    let manifest = Manifest::read(&folder).map_err(|what| BackupError::Damaged { number, what })?;
    Ok(Backup {
        number,
        folder,
        manifest,
    })
}

impl Backup {
    /// Compares every file with what was written down.
    ///
    /// # Errors
    /// A file is missing or another one, or would be put where no backup of ours reaches.
    pub fn check(&self) -> Result<(), BackupError> {
        check::check(&self.folder, &self.manifest).map_err(|what| BackupError::Damaged {
            number: self.number,
            what,
        })
    }

    /// Makes what is below `target` what it was. Nobody may use it meanwhile. Safe to repeat and to interrupt: each file
    /// is the one before or the one of the backup, and a repetition does the rest.
    ///
    /// Records of accounts that were made since stay: they tell a purge what to remove.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn put_back(&self, target: &Paths) -> Result<(), BackupError> {
        put_back::put_back(&self.folder, &self.manifest, target)
    }
}

/// The numbers of the folders that may be backups, smallest first.
fn numbers(folder: &Path) -> Result<Vec<u64>, BackupError> {
    let found = folder.symlink_metadata();
    if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    let mut numbers: Vec<u64> = files::list_folder(folder)?
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Numbers of the backups that are not kept; `backups` are newest first.
fn superfluous(backups: &[Backup], bytes: u64) -> Vec<u64> {
    let mut states = Vec::new();
    let mut reasons = Vec::new();
    let mut recent = 0;
    let mut size = 0;
    let mut removed = Vec::new();
    for (age, backup) in backups.iter().enumerate() {
        let manifest = &backup.manifest;
        let first_of_state = !states.contains(&manifest.state_version);
        let task = (
            &manifest.package,
            manifest.state_version,
            manifest.reason.clone(),
        );
        let repeated = task.2.is_of_an_upgrade() && reasons.contains(&task);
        let wanted = first_of_state || (recent < KEPT && !repeated);
        if age > 0 && (!wanted || size + manifest.size() > bytes) {
            removed.push(backup.number);
            continue;
        }
        states.push(manifest.state_version);
        reasons.push(task);
        recent += 1;
        size += manifest.size();
    }
    removed
}

#[cfg(test)]
mod tests;
