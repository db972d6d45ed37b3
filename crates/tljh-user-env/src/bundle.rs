//! What the package brings: locked wheels, and uv to install them.

use std::path::{Path, PathBuf};

use tljh_machine::{Paths, files};

use crate::error::UserEnvError;

/// A folder with `uv`, `requirements.txt` (with hashes) and `wheels/`.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// The bundle of the package that is installed below `paths`.
    pub fn installed(paths: &Paths) -> Self {
        Self {
            folder: paths.root().join("usr/lib/tljh-user-env"),
        }
    }

    /// The uv binary.
    pub fn uv(&self) -> PathBuf {
        self.folder.join("uv")
    }

    /// The conda engine.
    pub fn conda(&self) -> PathBuf {
        self.folder.join("tljh-conda")
    }

    /// The lock.
    pub fn requirements(&self) -> PathBuf {
        self.folder.join("requirements.txt")
    }

    /// The wheels.
    pub fn wheels(&self) -> PathBuf {
        self.folder.join("wheels")
    }

    /// Name and version of each package of the lock.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn packages(&self) -> Result<Vec<(String, String)>, UserEnvError> {
        let text = files::read(&self.requirements())?;
        Ok(text.lines().filter_map(locked).collect())
    }

    /// Bytes that the installed wheels take, bytecode included, with some room: six times the packed size.
    pub fn installed_size(&self) -> Result<u64, UserEnvError> {
        let size = |path: &Path| path.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        Ok(files::list_folder(&self.wheels())?
            .iter()
            .map(|wheel| size(wheel))
            .sum::<u64>()
            * 6)
    }
}

/// `name==version`, at the beginning of a line that is neither a comment nor a hash.
fn locked(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once("==")?;
    let version = rest.split([' ', ';', '\\']).next()?;
    (!name.contains([' ', '#'])).then(|| (name.to_string(), version.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_read_from_the_lock() {
        let lock = "# made\na-b==1.0 \\\n    --hash=sha256:00\n    # via -r x==y\nc==2 ; sys_platform == 'win32' \\\n";
        let read: Vec<_> = lock.lines().filter_map(locked).collect();
        assert_eq!(
            read,
            [("a-b".into(), "1.0".into()), ("c".into(), "2".into())]
        );
    }
}
