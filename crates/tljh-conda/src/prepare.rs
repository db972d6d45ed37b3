//! Makes a prefix ready for rattler's installer, which writes over some files in place.
//!
//! The prefix may be a clone by hard links of another environment. A file that will be written and that another
//! environment shares is replaced by a copy, or removed if nobody will miss it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rattler::install::{PythonInfo, Transaction};
use rattler_conda_types::package::{
    IndexJson, LinkJson, NoArchLinks, PackageFile as _, PathType, PathsJson,
};
use rattler_conda_types::{PrefixRecord, RepoDataRecord};

use crate::error::CondaError;
use crate::installed::name;

/// What will be written.
pub struct Arrivals {
    /// Files below the prefix.
    paths: HashSet<PathBuf>,
    /// Bytes of files that are written anew, because the prefix is written into them.
    pub rewritten: u64,
    /// Bytes of all others.
    pub linked: u64,
    /// Packages with a script that they would like to be run.
    pub scripts: Vec<String>,
}

/// Reads what `packages`, unpacked in folders by name, will write.
///
/// # Errors
/// A package's list of files cannot be read, or leads out of the prefix.
pub fn read_arrivals(
    packages: &[RepoDataRecord],
    folders: &HashMap<String, PathBuf>,
    python: Option<&PythonInfo>,
) -> Result<Arrivals, CondaError> {
    let mut arrivals = Arrivals {
        paths: HashSet::new(),
        rewritten: 0,
        linked: 0,
        scripts: Vec::new(),
    };
    for record in packages {
        let called = name(record).as_normalized();
        if let Some(folder) = folders.get(called) {
            arrivals.add(called, folder, python)?;
        }
    }
    Ok(arrivals)
}

impl Arrivals {
    fn add(
        &mut self,
        called: &str,
        folder: &Path,
        python: Option<&PythonInfo>,
    ) -> Result<(), CondaError> {
        let failed = |source| CondaError::Folder {
            action: "read the list of files of",
            path: folder.into(),
            source,
        };
        let paths =
            PathsJson::from_package_directory_with_deprecated_fallback(folder).map_err(failed)?;
        let is_python = IndexJson::from_package_directory(folder)
            .map_err(failed)?
            .noarch
            .is_python();
        for entry in paths.paths {
            let size = entry.size_in_bytes.unwrap_or(0);
            if entry.prefix_placeholder.is_some() {
                self.rewritten += size;
            } else if entry.path_type == PathType::HardLink {
                self.linked += size;
            }
            let path = match python {
                Some(python) if is_python => python
                    .get_python_noarch_target_path(&entry.relative_path)
                    .into_owned(),
                _ => entry.relative_path,
            };
            let is_below = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            if !is_below {
                return Err(CondaError::Outside {
                    name: called.into(),
                    path,
                });
            }
            if is_script(&path, called) {
                self.scripts.push(called.into());
            }
            self.paths.insert(path);
        }
        if let Some(python) = python.filter(|_| is_python) {
            match LinkJson::from_package_directory(folder) {
                Ok(link) => {
                    if let NoArchLinks::Python(points) = link.noarch {
                        let programs = points.entry_points.into_iter();
                        self.paths
                            .extend(programs.map(|point| python.bin_dir.join(point.command)));
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

fn is_script(path: &Path, called: &str) -> bool {
    ["pre-link", "post-link", "pre-unlink"]
        .iter()
        .any(|when| path == Path::new(&format!("bin/.{called}-{when}.sh")))
}

/// Frees what `transaction` will write from other environments, and removes the byte-code of modules that go.
///
/// # Errors
/// A file cannot be replaced or removed.
pub fn ensure_own_files(
    prefix: &Path,
    arrivals: &Arrivals,
    transaction: &Transaction<PrefixRecord, RepoDataRecord>,
) -> Result<(), CondaError> {
    let paths = |record: &PrefixRecord| -> Vec<PathBuf> {
        let entries = record.paths_data.paths.iter();
        entries.map(|entry| entry.relative_path.clone()).collect()
    };
    let going: HashSet<_> = transaction.removed_packages().flat_map(paths).collect();
    let staying: HashSet<_> = transaction
        .unchanged_packages()
        .iter()
        .flat_map(paths)
        .collect();
    for path in &arrivals.paths {
        // What goes is unlinked before anything is written.
        if going.contains(path) && !staying.contains(path) {
            continue;
        }
        let full = prefix.join(path);
        let Ok(found) = full.symlink_metadata() else {
            continue;
        };
        if found.is_dir() {
            continue;
        }
        if !staying.contains(path) {
            remove(&full)?;
        } else if found.is_file() && found.nlink() > 1 {
            copy(&full)?;
        }
    }
    for path in &going {
        if path.extension().is_some_and(|extension| extension == "py") {
            remove_bytecode(&prefix.join(path))?;
        }
    }
    Ok(())
}

/// Lets everybody read the records that rattler wrote for root alone.
///
/// # Errors
/// A record's mode cannot be changed.
pub fn ensure_readable_records(prefix: &Path) -> Result<(), CondaError> {
    let folder = prefix.join("conda-meta");
    let failed = |source| CondaError::Folder {
        action: "set the modes in",
        path: folder.clone(),
        source,
    };
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let found = entry.metadata().map_err(failed)?;
        // What another environment shares is older than this change.
        if found.is_file() && found.nlink() == 1 && found.mode() & 0o044 != 0o044 {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).map_err(failed)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), CondaError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(CondaError::Folder {
            action: "remove",
            path: path.into(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Puts a copy in place of a file.
fn copy(path: &Path) -> Result<(), CondaError> {
    let failed = |source| CondaError::Folder {
        action: "replace",
        path: path.into(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let new = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fs::copy(path, new.path()).map_err(failed)?;
    new.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// `__pycache__/module.cpython-311.pyc` and the like: a module of the same age and size would take it for its own.
fn remove_bytecode(module: &Path) -> Result<(), CondaError> {
    let (Some(folder), Some(stem)) = (module.parent(), module.file_stem()) else {
        return Ok(());
    };
    let begin = format!("{}.", stem.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder.join("__pycache__")) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let called = entry.file_name().to_string_lossy().into_owned();
        if called.starts_with(&begin) && called.ends_with(".pyc") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}
