//! The routes on disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::durable;

/// Tells one version of the file from another: each is a file of its own, renamed into place.
pub type Stamp = (u64, i64, i64);

/// The file `routes.json`, mode 0600, in the state directory: an object of routes as the API shows them.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, which is made when it is first written to.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the routes are.
    pub fn path(&self) -> PathBuf {
        self.folder.join("routes.json")
    }

    /// Reads what was written last; nothing where there is no file. A file that cannot be read or understood is set
    /// aside as `routes.json.damaged` with a warning: the hub puts its routes back when it finds them missing.
    pub fn read(&self) -> Map<String, Value> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Map::new(),
            Err(error) => {
                self.set_aside(&path, &error.to_string());
                return Map::new();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            self.set_aside(&path, &error.to_string());
            Map::new()
        })
    }

    /// What tells the file that is there now from others; nothing where there is none.
    pub fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(self.path()).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Reads what another process wrote last; nothing where that cannot be read.
    pub fn look(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&fs::read(self.path()).ok()?).ok()
    }

    fn set_aside(&self, path: &Path, reason: &str) {
        let aside = self.folder.join("routes.json.damaged");
        log::warn!(
            "starting without the routes of `{}`, set aside as `{}`: {reason}",
            path.display(),
            aside.display()
        );
        if let Err(error) = fs::rename(path, &aside) {
            log::warn!("could not rename `{}`: {error}", path.display());
        }
    }

    /// Replaces the file; when this returns, a power cut cannot undo it.
    ///
    /// # Errors
    /// Any step failed; the file is what it was before, unless only making the replacement durable failed.
    pub fn write(&self, routes: &Map<String, Value>) -> io::Result<()> {
        let text = serde_json::to_vec(routes)?;
        durable::replace(&self.path(), &text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("new"));
        assert!(store.read().is_empty());
        let mut routes = Map::new();
        routes.insert(
            "/a".into(),
            serde_json::json!({"target": "http://127.0.0.1:1"}),
        );
        store.write(&routes).unwrap();
        assert_eq!(store.read(), routes);
        assert_eq!(
            fs::metadata(store.path()).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().into());
        fs::write(store.path(), "{\"/a\": {\"targ").unwrap();
        assert!(store.read().is_empty());
        assert!(!store.path().exists());
        assert_eq!(
            fs::read(folder.path().join("routes.json.damaged")).unwrap(),
            b"{\"/a\": {\"targ"
        );
    }
}
