//! The routes on disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::journal::{self, Journal};
use crate::durable;

/// Tells one state of the two files from another: number, length and time of each that is there.
pub type Stamp = [Option<(u64, u64, i64, i64)>; 2];

/// The file `routes.json`, mode 0600, in the state directory: an object of routes as the API shows them. Beside it
/// `routes.journal` holds what has changed since.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    /// What this process appends to; nothing until it has written all routes.
    journal: Arc<Mutex<Option<Journal>>>,
}

impl Store {
    /// The store in `folder`, which is made when it is first written to.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            journal: Arc::default(),
        }
    }

    /// Where the routes are.
    pub fn path(&self) -> PathBuf {
        self.folder.join("routes.json")
    }

    fn journal_path(&self) -> PathBuf {
        self.folder.join("routes.journal")
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
        match serde_json::from_slice(&text) {
            Ok(mut routes) => {
                self.replay(&text, &mut routes);
                routes
            }
            Err(error) => {
                self.set_aside(&path, &error.to_string());
                Map::new()
            }
        }
    }

    /// Makes the changes since the routes were written as `text`.
    fn replay(&self, text: &[u8], routes: &mut Map<String, Value>) {
        let path = self.journal_path();
        let unread = match fs::read(&path) {
            Ok(changes) => journal::replay(&changes, text, routes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => {
                log::warn!("could not read `{}`: {error}", path.display());
                return;
            }
        };
        if unread > 0 {
            log::warn!(
                "left out {unread} changes of routes in `{}` that could not be read",
                path.display()
            );
        }
    }

    /// What tells the state that the files are in now from others.
    pub fn stamp(&self) -> Stamp {
        [self.path(), self.journal_path()].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        })
    }

    /// Reads what another process wrote last; nothing where that cannot be read, or changes meanwhile.
    pub fn look(&self) -> Option<(Stamp, Map<String, Value>)> {
        let before = self.stamp();
        let text = fs::read(self.path()).ok()?;
        let mut routes = serde_json::from_slice(&text).ok()?;
        self.replay(&text, &mut routes);
        (self.stamp() == before).then_some((before, routes))
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

    /// Writes all routes at once; when this returns, a power cut cannot undo it.
    ///
    /// # Errors
    /// Any step failed; the files are what they were before, unless only making the replacement durable failed.
    pub fn write(&self, routes: &Map<String, Value>) -> io::Result<()> {
        self.write_all(&mut self.journal.lock(), routes)
    }

    /// Writes that `prefix` has this route now, or none, and `all` routes if that has become the shorter way. When this
    /// returns, a power cut cannot undo it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_change(
        &self,
        prefix: &str,
        route: Option<Value>,
        all: impl FnOnce() -> Map<String, Value>,
    ) -> io::Result<()> {
        let mut own = self.journal.lock();
        match own.as_mut().map(|own| own.append(prefix, route)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => log::debug!("writing all routes anew: {error}"),
            None => {}
        }
        self.write_all(&mut own, &all())
    }

    fn write_all(&self, own: &mut Option<Journal>, routes: &Map<String, Value>) -> io::Result<()> {
        *own = None;
        let mut text = serde_json::to_vec(routes)?;
        let path = self.journal_path();
        // If all is again as it was when the journal was begun, the file must still be another than then.
        if fs::read(&path).is_ok_and(|changes| journal::is_beside(&changes, &text)) {
            text.push(b'\n');
        }
        durable::replace(&self.path(), &text)?;
        // It means nothing any more, whether this succeeds or not.
        let _ = fs::remove_file(&path);
        *own = Some(Journal::new(path, &text));
        Ok(())
    }

    /// Forgets what was written: another process may have since.
    pub fn let_go(&self) {
        *self.journal.lock() = None;
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
        let added = serde_json::json!({"target": "http://127.0.0.1:2"});
        store
            .write_change("/b", Some(added.clone()), Map::new)
            .unwrap();
        store.write_change("/a", None, Map::new).unwrap();
        routes = Map::from_iter([("/b".into(), added)]);
        assert_eq!(store.read(), routes);
        for path in [store.path(), store.journal_path()] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        store.write(&routes).unwrap();
        assert_eq!(store.read(), routes);
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1);
    }

    #[test]
    fn a_journal_means_nothing_beside_what_was_written_after_it_even_if_that_is_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().into());
        let before = Map::from_iter([("/a".into(), serde_json::json!({}))]);
        for _ in 0..3 {
            store.write(&before).unwrap();
            let added = Some(serde_json::json!({}));
            store.write_change("/b", added, Map::new).unwrap();
            let changes = fs::read(store.journal_path()).unwrap();
            assert_eq!(store.read().len(), 2);
            store.write(&before).unwrap();
            // As a power cut leaves it, which takes a removal back that was not made durable.
            fs::write(store.journal_path(), changes).unwrap();
            assert_eq!(store.read(), before);
        }
    }

    #[test]
    fn a_process_appends_to_no_journal_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| Store::new(folder.path().into()));
        let route = || Some(serde_json::json!({"target": "http://127.0.0.1:1"}));
        let all = || Map::from_iter([("/all".into(), serde_json::json!({}))]);
        let there = || first.read().keys().cloned().collect::<Vec<_>>();
        first.write_change("/a", route(), all).unwrap();
        first.write_change("/b", route(), all).unwrap();
        assert_eq!(there(), ["/all", "/b"]);
        // Its first change writes all.
        second.write_change("/c", route(), all).unwrap();
        assert_eq!(there(), ["/all"]);
        second.write_change("/d", route(), all).unwrap();
        assert_eq!(there(), ["/all", "/d"]);
        first.let_go();
        first.write_change("/e", route(), all).unwrap();
        assert_eq!(there(), ["/all"]);
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
