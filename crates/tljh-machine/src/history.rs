//! Configurations that were applied and worked, the newest of them kept as they were written.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::{self, FileError};
use crate::paths::Paths;

/// How many are kept.
pub const KEPT: usize = 20;

/// The history of an installation: one file `NUMBER.yaml`, mode 0600, for each configuration. Numbers grow
/// and are never used again.
#[derive(Debug, Clone)]
pub struct History {
    folder: PathBuf,
}

/// A configuration of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// When it was first seen to work, in whole seconds.
    pub time: SystemTime,
    /// The file's text.
    pub text: String,
}

impl History {
    /// The history below `paths`.
    pub fn new(paths: &Paths) -> Self {
        Self {
            folder: paths.configuration_history(),
        }
    }

    /// All versions, newest first.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn versions(&self) -> Result<Vec<Version>, FileError> {
        self.numbers()?
            .into_iter()
            .rev()
            .map(|number| self.read(number))
            .collect()
    }

    /// The newest version; `None` where nothing has worked yet.
    ///
    /// # Errors
    /// The folder or the file cannot be read.
    pub fn newest(&self) -> Result<Option<Version>, FileError> {
        self.numbers()?
            .last()
            .map(|number| self.read(*number))
            .transpose()
    }

    /// Adds `text` as the newest version, unless it is that already, and removes all but the newest
    /// [`KEPT`].
    ///
    /// # Errors
    /// A file cannot be written or removed; what was kept before is still there.
    pub fn record(&self, text: &str) -> Result<(), FileError> {
        files::ensure_folder(&self.folder, 0o700)?;
        let newest = self.newest()?;
        if newest.as_ref().is_some_and(|newest| newest.text == text) {
            return Ok(());
        }
        let number = newest.map_or(1, |newest| newest.number + 1);
        files::write_atomically(&self.file(number), text.as_bytes(), 0o600)?;
        for old in self.numbers()?.into_iter().rev().skip(KEPT) {
            files::ensure_absent(&self.file(old))?;
        }
        Ok(())
    }

    fn file(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.yaml"))
    }

    fn read(&self, number: u64) -> Result<Version, FileError> {
        let path = self.file(number);
        let seconds = path
            .metadata()
            .map(|metadata| metadata.mtime())
            .unwrap_or_default();
        Ok(Version {
            number,
            time: UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()),
            text: files::read(&path)?,
        })
    }

    /// The numbers that there are, smallest first.
    fn numbers(&self) -> Result<Vec<u64>, FileError> {
        if !self.folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut numbers: Vec<u64> = files::list_folder(&self.folder)?
            .iter()
            .filter_map(|path| {
                path.file_name()?
                    .to_str()?
                    .strip_suffix(".yaml")?
                    .parse()
                    .ok()
            })
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn texts(history: &History) -> Vec<String> {
        history
            .versions()
            .unwrap()
            .into_iter()
            .map(|version| version.text)
            .collect()
    }

    #[test]
    fn what_worked_is_kept_once_newest_first_and_private() {
        let root = tempfile::tempdir().unwrap();
        let history = History::new(&Paths::under(root.path()));
        assert_eq!(history.newest().unwrap(), None);
        for text in ["a: 1\n", "a: 1\n", "a: 2\n", "a: 1\n"] {
            history.record(text).unwrap();
        }
        assert_eq!(texts(&history), ["a: 1\n", "a: 2\n", "a: 1\n"]);
        assert_eq!(history.newest().unwrap().unwrap().number, 3);
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(history.folder.clone()), 0o700);
        assert_eq!(mode(history.file(3)), 0o600);
    }

    #[test]
    fn only_the_newest_twenty_are_kept_and_numbers_go_on() {
        let root = tempfile::tempdir().unwrap();
        let history = History::new(&Paths::under(root.path()));
        for number in 1..=25 {
            history.record(&format!("a: {number}\n")).unwrap();
        }
        let versions = history.versions().unwrap();
        assert_eq!(versions.len(), KEPT);
        assert_eq!((versions[0].number, versions[19].number), (25, 6));
        assert_eq!(versions[0].text, "a: 25\n");
    }
}
