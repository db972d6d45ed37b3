//! What goes into a backup, and how it is copied while the hub runs.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tljh_machine::{Paths, Runner, durable, files, wait_for};

use super::error::BackupError;
use super::manifest::{Entry, Kind};
use crate::database;

/// For the password database to be at rest; a class that logs in writes to it now and then.
const REST_DEADLINE: Duration = Duration::from_secs(30);
/// Files that are being written by us, to be renamed.
const UNFINISHED: &str = ".tljh-";

/// Whether `path`, without its first slash, is of what backups hold.
pub fn holds(path: &str) -> bool {
    let paths = Paths::under("");
    let path = Path::new(path);
    let plain = path
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    plain
        && (path.starts_with(paths.configuration())
            || path.parent() == Some(&paths.account_registry())
            || path == paths.hub_database()
            || named_files(&paths).iter().any(|named| path == named)
            || is_password_file(&paths, path))
}

/// The files of the state that are there, the hub's database and records of accounts left out.
pub fn single_files(paths: &Paths) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = named_files(paths).to_vec();
    found.retain(|path| path.is_file());
    found.extend(password_files(paths)?);
    Ok(found)
}

/// Secrets, and what is known of the database that goes with them.
fn named_files(paths: &Paths) -> [PathBuf; 3] {
    [
        paths.cookie_secret(),
        paths.proxy_api_token(),
        paths.database_schema(),
    ]
}

/// A dbm database is one file or several, `passwords.dbm` with endings.
fn is_password_file(paths: &Paths, path: &Path) -> bool {
    let database = paths.password_database();
    let stem = database.file_name().unwrap_or_default().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.parent() == database.parent()
        && name
            .strip_prefix(&*stem)
            .is_some_and(|ending| ending.is_empty() || ending.starts_with('.'))
}

fn password_files(paths: &Paths) -> Result<Vec<PathBuf>, BackupError> {
    if !paths.state().is_dir() {
        return Ok(Vec::new());
    }
    let mut found = files::list_folder(&paths.state())?;
    found.retain(|path| is_password_file(paths, path) && path.is_file());
    // The index, `.dir`, before the data, `.dat`: somebody may choose a password meanwhile, and new data is good for the index
    // of before, not the other way round.
    found.sort();
    found.reverse();
    Ok(found)
}

/// Bytes that a backup takes, roughly.
pub fn size(paths: &Paths) -> u64 {
    let mut total = folder_size(&paths.configuration()) + folder_size(&paths.account_registry());
    let single = single_files(paths).unwrap_or_default();
    for path in single.iter().chain([&paths.hub_database()]) {
        total += path.metadata().map_or(0, |found| found.len());
    }
    total
}

fn folder_size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => folder_size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Copies all that a backup holds below `target`, which is absent, and tells what it was. A database that SQLite
/// cannot read is an error, unless it is to be copied as it is: `damaged`, for a hub that is stopped.
pub fn copy(
    paths: &Paths,
    runner: &dyn Runner,
    target: &Path,
    damaged: bool,
) -> Result<Vec<Entry>, BackupError> {
    let mut copying = Copying {
        root: paths.root(),
        target,
        entries: Vec::new(),
    };
    // It may be a link to where an administrator keeps it.
    if let Ok(found) = paths.configuration().metadata() {
        copying.folder(&paths.configuration(), &found)?;
    }
    if paths.account_registry().is_dir() {
        for record in files::list_folder(&paths.account_registry())? {
            if record.extension().is_some_and(|ending| ending == "json") {
                copying.file(&record)?;
            }
        }
    }
    for named in named_files(paths) {
        copying.file(&named)?;
    }
    copying.passwords(paths)?;
    copying.database(paths, runner, damaged)?;
    Ok(copying.entries)
}

struct Copying<'a> {
    root: &'a Path,
    target: &'a Path,
    entries: Vec<Entry>,
}

impl Copying<'_> {
    fn tree(&mut self, path: &Path) -> Result<(), BackupError> {
        let Some(found) = look(path)? else {
            return Ok(());
        };
        if found.is_symlink() {
            return self.link(path, &found);
        }
        if found.is_file() {
            return self.file(path);
        }
        if found.is_dir() {
            return self.folder(path, &found);
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, found: &Metadata) -> Result<(), BackupError> {
        self.note(path, found, Kind::Folder);
        for entry in files::list_folder(path)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(UNFINISHED) {
                self.tree(&entry)?;
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, found: &Metadata) -> Result<(), BackupError> {
        if let Some(target) = fs::read_link(path).ok().as_deref().and_then(Path::to_str) {
            let target = target.to_string();
            self.note(path, found, Kind::Link { target });
        }
        Ok(())
    }

    /// Copies a file; one that is not there is left out.
    fn file(&mut self, path: &Path) -> Result<(), BackupError> {
        let Some(found) = look(path)? else {
            return Ok(());
        };
        let copied = self.place(path)?;
        durable::copy(path, &copied, 0o600)?;
        self.note_file(path, &found, &copied)
    }

    fn note_file(
        &mut self,
        path: &Path,
        found: &Metadata,
        copied: &Path,
    ) -> Result<(), BackupError> {
        let (sha256, size) = durable::digest(copied)?;
        self.note(path, found, Kind::File { size, sha256 });
        Ok(())
    }

    fn note(&mut self, path: &Path, found: &Metadata, kind: Kind) {
        let Some(relative) = self.relative(path).to_str() else {
            log::warn!(
                "`{}` is not in the backup: its name is no text",
                path.display()
            );
            return;
        };
        self.entries.push(Entry {
            path: relative.into(),
            mode: found.permissions().mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
            kind,
        });
    }

    fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(self.root).unwrap_or(path)
    }

    /// Where the copy of `path` belongs, its folder made.
    fn place(&self, path: &Path) -> Result<PathBuf, BackupError> {
        let place = self.target.join(self.relative(path));
        if let Some(folder) = place.parent() {
            files::ensure_folder(folder, 0o700)?;
        }
        Ok(place)
    }

    /// The files of the password database belong together: they are copied again until none of them changed meanwhile.
    fn passwords(&mut self, paths: &Paths) -> Result<(), BackupError> {
        let noted = self.entries.len();
        let mut failed = None;
        let settled = wait_for(REST_DEADLINE, || {
            self.entries.truncate(noted);
            match self.try_passwords(paths) {
                Ok(settled) => settled.then_some(()),
                Err(error) => {
                    failed = Some(error);
                    Some(())
                }
            }
        });
        match (failed, settled) {
            (Some(error), _) => Err(error),
            (None, Some(())) => Ok(()),
            (None, None) => Err(BackupError::Restless {
                path: paths.password_database(),
            }),
        }
    }

    fn try_passwords(&mut self, paths: &Paths) -> Result<bool, BackupError> {
        let before = stamps(paths)?;
        for (path, ..) in &before {
            let Some(found) = look(path)? else {
                return Ok(false);
            };
            let copied = self.place(path)?;
            files::ensure_absent(&copied)?;
            if durable::copy(path, &copied, 0o600).is_err() && !path.exists() {
                return Ok(false);
            }
            self.note_file(path, &found, &copied)?;
        }
        Ok(stamps(paths)? == before)
    }

    fn database(
        &mut self,
        paths: &Paths,
        runner: &dyn Runner,
        damaged: bool,
    ) -> Result<(), BackupError> {
        let path = paths.hub_database();
        let Some(found) = look(&path)? else {
            return Ok(());
        };
        let copied = self.place(&path)?;
        match database::copy(paths, runner, &path, &copied) {
            Ok(()) => {}
            Err(error) if damaged => {
                log::warn!("the hub's database is damaged and is kept as it is: {error}");
                files::ensure_absent(&copied)?;
                durable::copy(&path, &copied, 0o600)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.note_file(&path, &found, &copied)
    }
}

/// Name, inode, length and time of each password file.
type Stamp = (PathBuf, u64, u64, i64, i64);

fn stamps(paths: &Paths) -> Result<Vec<Stamp>, BackupError> {
    let found = password_files(paths)?.into_iter();
    Ok(found
        .filter_map(|path| {
            let found = path.symlink_metadata().ok()?;
            Some((
                path,
                found.ino(),
                found.len(),
                found.mtime(),
                found.mtime_nsec(),
            ))
        })
        .collect())
}

fn look(path: &Path) -> Result<Option<Metadata>, BackupError> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => {
            // Says what is the matter.
            files::read(path)?;
            Ok(None)
        }
    }
}
