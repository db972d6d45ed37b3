//! What the package brings: locked wheels, and uv to install them.

use std::path::{Path, PathBuf};

use tljh_machine::files;

use crate::error::UserEnvError;

/// A folder with `uv`, `requirements.txt` (with hashes) and `wheels/`.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// The bundle of the installed package.
    pub fn installed() -> Self {
        Self {
            folder: "/usr/lib/tljh-user-env".into(),
        }
    }

    /// The uv binary.
    pub fn uv(&self) -> PathBuf {
        self.folder.join("uv")
    }

    /// The lock.
    pub fn requirements(&self) -> PathBuf {
        self.folder.join("requirements.txt")
    }

    /// The wheels.
    pub fn wheels(&self) -> PathBuf {
        self.folder.join("wheels")
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
