//! What would not fit together after an upgrade, found out on the packages' metadata alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tljh_machine::files;

use crate::error::UserEnvError;
use crate::manifest::{metadata_folders, normalize, site_packages};
use crate::workshop::Workshop;

/// An installed package of which a requirement is not met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The package.
    pub package: String,
    /// What it requires.
    pub requirement: String,
}

impl Conflict {
    /// Reads uv's sentence: "The package `a` requires `b<2`, but `2.0` is installed".
    pub fn parse(sentence: &str) -> Option<Self> {
        let mut words = sentence.split('`');
        if !sentence.contains("` requires `") {
            return None;
        }
        let package = normalize(words.nth(1)?);
        let requirement = words.nth(1)?.to_string();
        Some(Self {
            package,
            requirement,
        })
    }

    /// The package that is required.
    pub fn required(&self) -> String {
        let end = self
            .requirement
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(self.requirement.len());
        normalize(&self.requirement[..end])
    }
}

/// An environment of metadata, in which uv finds conflicts as in a whole one.
pub struct Rehearsal {
    folder: PathBuf,
}

impl Rehearsal {
    /// With the metadata of the packages of `environment`, but for those in `without`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(
        workshop: &Workshop<'_>,
        environment: &Path,
        without: &BTreeSet<String>,
    ) -> Result<Self, UserEnvError> {
        let folder = workshop
            .generations
            .ensure_cache(workshop.runner, REHEARSAL)?;
        files::ensure_tree_absent(&folder)?;
        let made = Self { folder };
        let site = site_packages(environment)?;
        let inside = site.strip_prefix(environment).unwrap_or(&site);
        let site = made.folder.join(inside);
        for folder in [&site, &made.folder.join("bin")] {
            make_folder(folder)?;
        }
        let python = fs::read_link(environment.join("bin/python")).unwrap_or_default();
        files::ensure_link(&made.folder.join("bin/python"), &python)?;
        copy(environment, &made.folder, "pyvenv.cfg")?;
        for metadata in metadata_folders(environment)? {
            let stem = metadata.file_stem().unwrap_or_default().to_string_lossy();
            let name = normalize(stem.split('-').next().unwrap_or_default());
            if without.contains(&name) {
                continue;
            }
            let to = site.join(metadata.file_name().unwrap_or_default());
            make_folder(&to)?;
            for file in ["METADATA", "WHEEL", "RECORD", "INSTALLER"] {
                if metadata.join(file).exists() {
                    copy(&metadata, &to, file)?;
                }
            }
        }
        Ok(made)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Err(error) = files::ensure_tree_absent(&self.folder) {
            log::warn!("{error}");
        }
    }
}

/// Its name beside uv's caches, out of everybody's reach and on the file system of the generations.
const REHEARSAL: &str = "rehearsal";

fn make_folder(folder: &Path) -> Result<(), UserEnvError> {
    fs::create_dir_all(folder).map_err(|source| UserEnvError::FileSystem {
        path: folder.to_path_buf(),
        source,
    })
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<(), UserEnvError> {
    let path = to.join(name);
    fs::copy(from.join(name), &path)
        .map(drop)
        .map_err(|source| UserEnvError::FileSystem { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_uv_names_who_requires_what() {
        let read = |sentence| Conflict::parse(sentence).map(|one| (one.required(), one.package));
        let pair = |one: &str, other: &str| Some((one.to_string(), other.to_string()));
        assert_eq!(
            read("The package `Some_A` requires `b.c[x]<2`, but `2.0` is installed"),
            pair("b-c", "some-a")
        );
        assert_eq!(
            read("The package `a` requires `b ; python_version > '3'`, but it's not installed"),
            pair("b", "a")
        );
        assert_eq!(read("All is well"), None);
    }
}
