//! The file itself: one writer at a time, and never a half-written configuration.
//!
//! The lock is upstream's, `flock` on `<path>.lock` beside the path as it is given, so that two tools on
//! one machine respect each other. A save writes a new file in the same folder, syncs it, renames it over
//! the old one and syncs the folder; it keeps the old one's mode and owner, and follows a symbolic link.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::Flock;
use tljh_terminal::Hinted;

use crate::edit::Document;
use crate::error::SettingsError;

mod held;
mod holder;
mod lock;

pub use held::Held;
pub use holder::holder_of;
pub use lock::{Lock, LockError, lock_within};

/// How long an edit waits for another one.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);
const LOCK_POLL: Duration = Duration::from_millis(5);

/// The file could not be read, locked or written; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read, or its text is not a configuration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The lock file cannot be opened.
    #[error("could not open the lock `{}`", path.display())]
    OpenLock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another program held the lock for too long.
    #[error(
        "{} has held the lock `{}` for {} seconds",
        holder.as_deref().unwrap_or("another program"),
        path.display(),
        waited.as_secs()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long this one waited.
        waited: Duration,
        /// The other program, where it is known.
        holder: Option<String>,
    },
    /// The new text cannot be written.
    #[error("could not write `{}`; it is unchanged", path.display())]
    Write {
        /// The configuration.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Hinted for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Settings(error) => error.hint(),
            Self::Locked { path, .. } => Some(format!(
                "see which program it is: `sudo fuser -v {}`",
                path.display()
            )),
            Self::OpenLock { source, .. } | Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    Some("run the same command with `sudo` before it".to_string())
                }
                io::ErrorKind::StorageFull => Some("see what fills the disk: `df -h`".to_string()),
                _ => None,
            },
        }
    }
}

/// A configuration file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    deadline: Duration,
}

impl Store {
    /// The file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            deadline: LOCK_DEADLINE,
        }
    }

    /// The same file, with another limit for waiting for the lock.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, without a lock, since a save replaces it as a whole. A missing file is empty.
    ///
    /// # Errors
    /// A file that cannot be read; text that is no configuration.
    pub fn read(&self) -> Result<Document, StoreError> {
        let text = self.read_text()?;
        Ok(Document::parse(&text).map_err(|error| error.in_file(&self.path))?)
    }

    /// Reads the file, lets `change` edit it, and saves it if its text differs, all under the lock.
    ///
    /// # Errors
    /// Those of `change`, after which nothing is written; and those of the file.
    pub fn edit<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Document) -> Result<T, E>,
    ) -> Result<T, E> {
        let held = self.hold()?;
        let mut document = self.read()?;
        let before = document.to_string();
        let result = change(&mut document)?;
        let after = document.to_string();
        if before != after {
            held.replace(&after)?;
        }
        Ok(result)
    }

    fn lock(&self) -> Result<Flock<File>, StoreError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let locked = lock_within(&path, self.deadline, LOCK_POLL, |_| ());
        locked.map(|lock| lock.file).map_err(|error| match error {
            LockError::Unusable(source) => StoreError::OpenLock { path, source },
            LockError::Held(holder) => StoreError::Locked {
                path,
                waited: self.deadline,
                holder,
            },
        })
    }

    fn save(&self, text: &str) -> io::Result<()> {
        // The target of a link is replaced, not the link.
        let target = match fs::canonicalize(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => link_target(&self.path),
            other => other?,
        };
        let folder = target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Always the same name, under the lock: what a killed edit left does not pile up.
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{name}.new");
        match fs::remove_file(folder.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = tempfile::Builder::new()
            .prefix(&name)
            .rand_bytes(0)
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        match fs::metadata(&target) {
            Ok(old) => {
                let new = file.as_file().metadata()?;
                if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                    fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
                }
                file.as_file()
                    .set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        file.as_file().sync_all()?;
        file.persist(&target)?;
        File::open(folder)?.sync_all()
    }
}

/// Where a link to a missing file points, or the path itself.
fn link_target(path: &Path) -> PathBuf {
    match (fs::read_link(path), path.parent()) {
        (Ok(target), Some(folder)) => folder.join(target),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(store: &Store, path: &[&str]) -> Result<(), StoreError> {
        store.edit(|document| {
            document.set(path, &json!(8080)).unwrap();
            Ok(())
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_is_private_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("config.yaml"));
        set(&store, &["http", "port"]).unwrap();
        assert_eq!(fs::metadata(store.path()).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(names(folder.path()), ["config.yaml", "config.yaml.lock"]);
    }

    #[test]
    fn mode_and_link_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("real.yaml");
        let link = folder.path().join("config.yaml");
        fs::write(&target, "a: 1\n").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.yaml", &link).unwrap();
        set(&Store::new(&link), &["http", "port"]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(
            fs::read_to_string(&target).unwrap(),
            "a: 1\nhttp:\n  port: 8080\n"
        );
    }

    #[test]
    fn a_link_to_nothing_gets_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("config.yaml");
        std::os::unix::fs::symlink("real.yaml", &link).unwrap();
        set(&Store::new(&link), &["http", "port"]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(folder.path().join("real.yaml").exists());
    }

    #[test]
    fn a_refused_change_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, "a: 1 # one\n").unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        let refused: Result<(), StoreError> = Store::new(&path).edit(|document| {
            document.set(&["a"], &json!(2)).unwrap();
            Err(SettingsError::Syntax {
                path: None,
                what: "no".to_string(),
            }
            .into())
        });
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1 # one\n");
        Store::new(&path)
            .edit(|document| {
                document.set(&["a"], &json!(1)).unwrap();
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    }

    #[test]
    fn a_held_lock_ends_in_a_clear_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("config.yaml")).with_deadline(Duration::ZERO);
        let held = store.lock().unwrap();
        assert!(matches!(
            set(&store, &["a"]),
            Err(StoreError::Locked { .. })
        ));
        drop(held);
        set(&store, &["a"]).unwrap();
    }
}
