//! What the package brings: locked wheels, uv to install them, and their bytecode.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tljh_machine::{Paths, files};

use crate::error::UserEnvError;
use crate::lock::{self, Entry, Wheel};

/// A folder with `uv`, `requirements.txt` (with hashes), `wheels/` and `bytecode.tar.xz`.
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

    /// Arguments for an environment's Python, with which it gives the packages in `site_packages` the bytecode that the
    /// wheels come with, where that is of the same Python and source; with one more, it compiles the rest below that.
    pub fn bytecode(&self, site_packages: &Path) -> [PathBuf; 3] {
        [
            self.folder.join("bytecode.py"),
            self.folder.join("bytecode.tar.xz"),
            site_packages.to_path_buf(),
        ]
    }

    /// The entries of the lock, those for other versions of Python included.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, UserEnvError> {
        Ok(lock::entries(&files::read(&self.requirements())?))
    }

    /// The entries of the lock of which there is a wheel that serves CPython 3.`minor`.
    ///
    /// # Errors
    /// The lock or the folder of wheels cannot be read.
    pub fn entries_for(&self, minor: u32) -> Result<Vec<Entry>, UserEnvError> {
        self.entries_with(|wheel| wheel.fits(minor))
    }

    /// The entries of the lock of which there is a wheel of which `is_good` holds.
    ///
    /// # Errors
    /// The lock or the folder of wheels cannot be read.
    pub fn entries_with(
        &self,
        is_good: impl Fn(&Wheel) -> bool,
    ) -> Result<Vec<Entry>, UserEnvError> {
        let wheels: BTreeSet<(String, String)> = files::list_folder(&self.wheels())?
            .iter()
            .filter_map(|path| Wheel::parse(path.file_name()?.to_str()?))
            .filter(is_good)
            .map(|wheel| (wheel.name, wheel.version))
            .collect();
        let mut entries = self.entries()?;
        entries.retain(|entry| wheels.contains(&(entry.name.clone(), entry.version.clone())));
        Ok(entries)
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
