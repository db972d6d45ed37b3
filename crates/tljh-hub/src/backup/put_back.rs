//! Putting back what a backup holds.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};
use tljh_machine::{Paths, durable, files};

use super::contents;
use super::error::BackupError;
use super::manifest::{Entry, FILES, Kind, Manifest};
use crate::migrations;

/// Makes what is below `target` what the backup in `folder` holds.
pub fn put_back(folder: &Path, manifest: &Manifest, target: &Paths) -> Result<(), BackupError> {
    files::ensure_folder(&target.state(), 0o700)?;
    files::ensure_folder(&target.account_registry(), 0o700)?;
    let work = PutBack {
        copies: folder.join(FILES),
        manifest,
        target,
    };
    work.configuration()?;
    work.records()?;
    work.single_files()?;
    work.database()?;
    migrations::write_version(target, manifest.state_version)?;
    Ok(())
}

struct PutBack<'a> {
    copies: PathBuf,
    manifest: &'a Manifest,
    target: &'a Paths,
}

impl PutBack<'_> {
    /// The files of the backup whose paths on the target are wanted, as (entry, path, copy).
    fn files<'a>(
        &'a self,
        wanted: impl Fn(&Path) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a Entry, PathBuf, PathBuf)> + 'a {
        self.manifest.entries.iter().filter_map(move |entry| {
            let path = self.target.root().join(&entry.path);
            let is_wanted = matches!(entry.kind, Kind::File { .. }) && wanted(&path);
            is_wanted.then(|| (entry, path, self.copies.join(&entry.path)))
        })
    }

    /// The whole folder is made beside the present one and exchanged with it.
    fn configuration(&self) -> Result<(), BackupError> {
        let place = self.target.configuration();
        let place = fs::canonicalize(&place).unwrap_or(place);
        let beside = beside(&place);
        files::ensure_tree_absent(&beside)?;
        files::ensure_folder(&beside, 0o700)?;
        for entry in &self.manifest.entries {
            let path = self.target.root().join(&entry.path);
            if let Ok(below) = path.strip_prefix(self.target.configuration()) {
                self.make(entry, &beside.join(below))?;
            }
        }
        durable::sync_folders(&beside)?;
        if !place.exists() {
            return Ok(durable::replace(&beside, &place)?);
        }
        match durable::exchange(&beside, &place) {
            Err(error) if error.is_immovable() => self.refill(&place, &beside)?,
            other => other?,
        }
        Ok(files::ensure_tree_absent(&beside)?)
    }

    /// One by one, where the file system cannot move folders; a repetition does the rest.
    fn refill(&self, place: &Path, beside: &Path) -> Result<(), BackupError> {
        for old in files::list_folder(place)? {
            if old.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                files::ensure_tree_absent(&old)?;
            } else {
                files::ensure_absent(&old)?;
            }
        }
        for new in files::list_folder(beside)? {
            let name = new.file_name().unwrap_or_default();
            durable::replace(&new, &place.join(name))?;
        }
        Ok(())
    }

    fn make(&self, entry: &Entry, path: &Path) -> Result<(), BackupError> {
        match &entry.kind {
            Kind::Folder => files::ensure_folder(path, entry.mode)?,
            Kind::File { .. } => {
                durable::copy(&self.copies.join(&entry.path), path, entry.mode)?;
            }
            Kind::Link { target } => files::ensure_link(path, Path::new(target))?,
        }
        give(entry, path)
    }

    /// Adds those that are missing: a record that is there is of an account as it is now.
    fn records(&self) -> Result<(), BackupError> {
        let registry = self.target.account_registry();
        for (entry, path, copy) in self.files(move |path| path.parent() == Some(&registry)) {
            if !path.exists() {
                replace_file(entry, &copy, &path)?;
            }
        }
        Ok(())
    }

    /// Secrets and passwords; those that were not there are none now.
    fn single_files(&self) -> Result<(), BackupError> {
        let state = self.target.state();
        let database = self.target.hub_database();
        let mut kept = Vec::new();
        for (entry, path, copy) in
            self.files(move |path| path.parent() == Some(&state) && path != database)
        {
            replace_file(entry, &copy, &path)?;
            kept.push(path);
        }
        for other in contents::single_files(self.target)? {
            if !kept.contains(&other) {
                files::ensure_absent(&other)?;
            }
        }
        Ok(())
    }

    /// What SQLite noted beside the old database must never be taken for a part of the new one.
    fn database(&self) -> Result<(), BackupError> {
        let database = self.target.hub_database();
        let wanted = database.clone();
        let found = self.files(move |path| path == wanted).next();
        let new = beside(&database);
        if let Some((entry, _, copy)) = &found {
            files::ensure_absent(&new)?;
            durable::copy(copy, &new, entry.mode)?;
            give(entry, &new)?;
        }
        for ending in ["-journal", "-wal", "-shm"] {
            let mut name = database.clone().into_os_string();
            name.push(ending);
            files::ensure_absent(Path::new(&name))?;
        }
        match found {
            Some(_) => durable::replace(&new, &database)?,
            None => files::ensure_absent(&database)?,
        }
        Ok(())
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.restored"))
}

fn replace_file(entry: &Entry, copy: &Path, path: &Path) -> Result<(), BackupError> {
    let new = beside(path);
    files::ensure_absent(&new)?;
    durable::copy(copy, &new, entry.mode)?;
    give(entry, &new)?;
    Ok(durable::replace(&new, path)?)
}

fn give(entry: &Entry, path: &Path) -> Result<(), BackupError> {
    let owned = path
        .symlink_metadata()
        .is_ok_and(|found| (found.uid(), found.gid()) == (entry.uid, entry.gid));
    if !owned {
        files::ensure_owner(path, Uid::from_raw(entry.uid), Gid::from_raw(entry.gid))?;
    }
    Ok(())
}
