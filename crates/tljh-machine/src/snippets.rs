//! The administrator's snippets: Python files that the hub loads after what `config.yaml` says.
//!
//! Those with which the hub answered are kept beside the history of configurations. Like a configuration they
//! are used again as a whole: one of them may restrict what another one opens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::running::fingerprint;

/// All snippets of a folder: text by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snippets(BTreeMap<String, String>);

impl Snippets {
    /// Reads what the hub would load from `folder`, which may be absent.
    ///
    /// # Errors
    /// One of them cannot be read, or is no UTF-8.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let mut texts = BTreeMap::new();
        if folder.is_dir() {
            for path in files::list_folder(folder)? {
                if let Some(name) = snippet_name(&path) {
                    texts.insert(name.to_string(), files::read(&path)?);
                }
            }
        }
        Ok(Self(texts))
    }

    /// What tells these snippets from others.
    pub fn fingerprint(&self) -> String {
        fingerprint(&serde_json::json!(self.0).to_string())
    }

    /// Keeps them as those that worked.
    ///
    /// # Errors
    /// They cannot be written; those that were kept before still are.
    pub fn keep(&self, paths: &Paths) -> Result<(), FileError> {
        files::ensure_folder(&paths.configuration_history(), 0o700)?;
        let text = format!("{:#}\n", serde_json::json!(self.0));
        files::write_atomically(&paths.kept_snippets(), text.as_bytes(), 0o600)
    }

    /// Those that worked last; `None` where nothing has worked yet.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn kept(paths: &Paths) -> Result<Option<Self>, FileError> {
        let text = files::read_optional(&paths.kept_snippets())?;
        // A file that another version wrote tells nothing.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok().map(Self)))
    }

    /// Writes them into a folder of their own, from which the hub can load them, and gives it. What lies beside
    /// the administrator's, such as a list that a snippet reads, can be found beside these too.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn unfold(&self, paths: &Paths) -> Result<PathBuf, FileError> {
        let folder = paths.running_snippets();
        files::ensure_tree_absent(&folder)?;
        files::ensure_folder(&folder, 0o700)?;
        for (name, text) in &self.0 {
            files::write_atomically(&folder.join(name), text.as_bytes(), 0o600)?;
        }
        let beside = paths.hub_snippets();
        if beside.is_dir() {
            for path in files::list_folder(&beside)? {
                if let Some(name) = path.file_name().filter(|_| snippet_name(&path).is_none()) {
                    files::ensure_link(&folder.join(name), &path)?;
                }
            }
        }
        Ok(folder)
    }
}

/// The file's name, if the hub's Python takes it for a snippet: its `*.py` leaves hidden files out.
fn snippet_name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    (name.ends_with(".py") && !name.starts_with('.')).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn machine() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        files::ensure_folder(&paths.hub_snippets(), 0o700).unwrap();
        files::ensure_folder(&paths.runtime(), 0o700).unwrap();
        (root, paths)
    }

    #[test]
    fn what_worked_comes_back_as_it_was_with_what_lies_beside() {
        let (_root, paths) = machine();
        let folder = paths.hub_snippets();
        for (name, text) in [("a.py", "one"), (".b.py", "hidden"), ("names.txt", "ada")] {
            fs::write(folder.join(name), text).unwrap();
        }
        let snippets = Snippets::read(&folder).unwrap();
        assert_eq!(Snippets::kept(&paths).unwrap(), None);
        snippets.keep(&paths).unwrap();
        fs::write(folder.join("a.py"), "two").unwrap();
        fs::write(folder.join("c.py"), "three").unwrap();
        let kept = Snippets::kept(&paths).unwrap().unwrap();
        for _ in 0..2 {
            let unfolded = kept.unfold(&paths).unwrap();
            assert_eq!(Snippets::read(&unfolded).unwrap(), snippets);
            assert_eq!(
                fs::read_to_string(unfolded.join("names.txt")).unwrap(),
                "ada"
            );
        }
        assert!(folder.join("names.txt").exists());
    }

    #[test]
    fn they_may_hold_secrets_so_the_copies_are_private() {
        let (_root, paths) = machine();
        fs::write(paths.hub_snippets().join("a.py"), "password = 1").unwrap();
        let snippets = Snippets::read(&paths.hub_snippets()).unwrap();
        snippets.keep(&paths).unwrap();
        let unfolded = snippets.unfold(&paths).unwrap();
        for path in [
            paths.kept_snippets(),
            unfolded.join("a.py"),
            unfolded.clone(),
        ] {
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }

    #[test]
    fn every_change_of_a_name_or_a_text_is_another_whole() {
        let (_root, paths) = machine();
        let folder = paths.hub_snippets();
        let mut seen = vec![Snippets::read(&folder).unwrap().fingerprint()];
        fs::write(folder.join("a.py"), "one").unwrap();
        seen.push(Snippets::read(&folder).unwrap().fingerprint());
        fs::write(folder.join("a.py"), "two").unwrap();
        seen.push(Snippets::read(&folder).unwrap().fingerprint());
        fs::rename(folder.join("a.py"), folder.join("b.py")).unwrap();
        seen.push(Snippets::read(&folder).unwrap().fingerprint());
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), 4);
    }
}
