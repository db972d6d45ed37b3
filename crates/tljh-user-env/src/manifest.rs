//! What is installed, read from the metadata on disk (PEP 376, PEP 610): no Python is needed, so that it can be told
//! for an environment whose Python no longer starts.

pub mod conda;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tljh_machine::files;

use crate::error::UserEnvError;

/// The package that has to match the hub.
pub const HUB: &str = "jupyterhub";

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name: of a Python package as normalised by PEP 503, such as `scikit-learn`; of conda's as its channel spells it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from, if not from an index; conda's channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// SHA-256 of the archive that was installed where it is known, else of the list of installed files.
    pub hash: String,
    /// Whether somebody asked pip for it by name, rather than for what needs it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_pip: bool,
    /// Which of its builds, if conda installed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

impl Package {
    /// Whether this is the package that people call `name`, however they spell it.
    pub fn is(&self, name: &str) -> bool {
        normalize(&self.name) == normalize(name)
    }

    /// Whether conda installed it.
    pub fn is_condas(&self) -> bool {
        self.build.is_some()
    }
}

/// A package that differs between two manifests, or is going to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its version before; none if it was not there.
    pub before: Option<String>,
    /// Its version after; none if it is gone.
    pub after: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.name;
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(formatter, "+ {name} {after}"),
            (Some(before), None) => write!(formatter, "- {name} {before}"),
            (Some(before), Some(after)) if before != after => {
                write!(formatter, "~ {name} {before} -> {after}")
            }
            (_, after) => write!(
                formatter,
                "~ {name} {} (installed anew)",
                after.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// The name by which indexes know a package (PEP 503).
pub fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.push(character.to_ascii_lowercase());
        }
    }
    normal
}

/// The `site-packages` of an environment: the one of `lib/python3.*`. conda's Pythons have a link `python3.1` beside it.
///
/// # Errors
/// There is none, or the environment cannot be read.
pub fn site_packages(environment: &Path) -> Result<PathBuf, UserEnvError> {
    files::list_folder(&environment.join("lib"))?
        .into_iter()
        .filter(|folder| !folder.is_symlink())
        .map(|folder| folder.join("site-packages"))
        .find(|site| site.is_dir())
        .ok_or_else(|| UserEnvError::NoPackages {
            path: environment.to_path_buf(),
        })
}

/// The metadata folders of all packages, sorted.
///
/// # Errors
/// The environment cannot be read.
pub fn metadata_folders(environment: &Path) -> Result<Vec<PathBuf>, UserEnvError> {
    let mut folders = files::list_folder(&site_packages(environment)?)?;
    // pip sets what it removes aside under a name that begins with `~`.
    folders.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".dist-info") && !name.starts_with('~')
    });
    Ok(folders)
}

/// What is installed, sorted by name. A package whose metadata is damaged is left out.
///
/// # Errors
/// The environment cannot be read.
pub fn read_manifest(environment: &Path) -> Result<Vec<Package>, UserEnvError> {
    let condas = conda::installed(environment)?;
    let theirs: HashSet<&str> = condas
        .iter()
        .flat_map(conda::Installed::metadata_folders)
        .collect();
    let is_theirs = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| theirs.contains(name))
    };
    let mut packages: Vec<Package> = metadata_folders(environment)?
        .iter()
        .filter(|folder| !is_theirs(folder))
        .filter_map(|folder| read_package(folder))
        .chain(condas.iter().map(conda::Installed::package))
        .collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

/// The Python packages among conda's, by the names and versions that Python's installers know.
///
/// # Errors
/// The environment cannot be read.
pub fn condas_in_pythons_words(environment: &Path) -> Result<Vec<Package>, UserEnvError> {
    let condas = conda::installed(environment)?;
    let site = site_packages(environment)?;
    Ok(condas
        .iter()
        .flat_map(conda::Installed::metadata_folders)
        .filter_map(|folder| read_package(&site.join(folder)))
        .collect())
}

fn read_package(folder: &Path) -> Option<Package> {
    let metadata = std::fs::read_to_string(folder.join("METADATA")).ok()?;
    let field = |name: &str| headers(&metadata, name).next().map(str::to_string);
    let origin = std::fs::read_to_string(folder.join("direct_url.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let told = |pointer: &str| Some(origin.as_ref()?.pointer(pointer)?.as_str()?.to_string());
    let hash = told("/archive_info/hashes/sha256").or_else(|| {
        let files = std::fs::read(folder.join("RECORD")).ok()?;
        Some(hexadecimal(&Sha256::digest(files)))
    });
    Some(Package {
        name: normalize(&field("Name")?),
        version: field("Version")?,
        source: told("/url"),
        hash: hash.unwrap_or_default(),
        // uv makes the mark for every package.
        by_pip: folder.join("REQUESTED").exists()
            && std::fs::read_to_string(folder.join("INSTALLER"))
                .is_ok_and(|name| name.trim() == "pip"),
        build: None,
    })
}

/// The values of the header `name` in a METADATA file.
pub fn headers<'a>(metadata: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    metadata
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(move |line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What leads from `before` to `after`; both are sorted by name.
pub fn differences(before: &[Package], after: &[Package]) -> Vec<Difference> {
    let find = |packages: &[Package], name: &str| {
        packages
            .iter()
            .find(|package| package.name == name)
            .map(|package| (package.version.clone(), package.hash.clone()))
    };
    let mut names: Vec<&str> = before
        .iter()
        .chain(after)
        .map(|package| package.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            let (old, new) = (find(before, name), find(after, name));
            (old != new).then(|| Difference {
                name: name.to_string(),
                before: old.map(|(version, _)| version),
                after: new.map(|(version, _)| version),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn package(name: &str, version: &str, hash: &str) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            source: None,
            hash: hash.into(),
            by_pip: false,
            build: None,
        }
    }

    #[test]
    fn packages_are_read_from_their_metadata() {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("lib/python3.13/site-packages");
        let folder = site.join("Some_Package-1.0.dist-info");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(site.join("damaged-1.dist-info")).unwrap();
        let metadata = "Metadata-Version: 2.1\nName: Some_Package\nVersion: 1.0\n\nName: other\n";
        fs::write(folder.join("METADATA"), metadata).unwrap();
        fs::write(folder.join("RECORD"), "").unwrap();
        let url = r#"{"url": "file:///x.whl", "archive_info": {}}"#;
        fs::write(folder.join("direct_url.json"), url).unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = Package {
            source: Some("file:///x.whl".into()),
            ..package("some-package", "1.0", empty)
        };
        assert_eq!(read_manifest(root.path()).unwrap(), [expected]);
    }

    #[test]
    fn differences_name_what_came_went_and_changed() {
        let before = [
            package("a", "1", "x"),
            package("b", "1", "x"),
            package("c", "1", "x"),
        ];
        let after = [
            package("b", "2", "y"),
            package("c", "1", "z"),
            package("d", "1", "x"),
        ];
        let lines: Vec<String> = differences(&before, &after)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            ["- a 1", "~ b 1 -> 2", "~ c 1 (installed anew)", "+ d 1"]
        );
        assert_eq!(differences(&after, &after), []);
    }
}
