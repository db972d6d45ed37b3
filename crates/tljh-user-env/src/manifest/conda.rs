//! What conda's own records say is installed (`conda-meta/NAME-VERSION-BUILD.json`).

use std::path::Path;

use serde::Deserialize;
use tljh_machine::files;

use super::Package;
use crate::engine::CONDA_META;
use crate::error::UserEnvError;

/// A package that conda or `tljh-conda` linked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Installed {
    /// Its name, as its channel spells it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Which of its builds.
    pub build: String,
    /// The channel, by name or URL.
    #[serde(default)]
    pub channel: Option<String>,
    /// Where the archive came from.
    #[serde(default)]
    pub url: String,
    /// SHA-256 of the archive.
    #[serde(default)]
    pub sha256: Option<String>,
    /// MD5 of the archive, which old channels have alone.
    #[serde(default)]
    pub md5: Option<String>,
    /// Its files, below the environment.
    #[serde(default)]
    pub files: Vec<String>,
    /// What it needs.
    #[serde(default)]
    pub depends: Vec<String>,
}

impl Installed {
    /// As a line of a manifest.
    pub fn package(&self) -> Package {
        Package {
            name: self.name.clone(),
            version: self.version.clone(),
            source: self.channel.clone(),
            hash: self
                .sha256
                .clone()
                .or_else(|| self.md5.clone())
                .unwrap_or_default(),
            by_pip: false,
            build: Some(self.build.clone()),
        }
    }

    /// The names of the folders in `site-packages` with the metadata of the Python packages that it holds.
    pub fn metadata_folders(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| {
            let folder = file.strip_suffix("/METADATA")?;
            let name = folder.rsplit('/').next()?;
            name.ends_with(".dist-info").then_some(name)
        })
    }
}

/// What conda installed in the environment at `folder`, sorted by name; nothing where it is none of conda's. A record
/// that is damaged is left out.
///
/// # Errors
/// The folder of records cannot be read.
pub fn installed(folder: &Path) -> Result<Vec<Installed>, UserEnvError> {
    let records = folder.join(CONDA_META);
    if !records.is_dir() {
        return Ok(Vec::new());
    }
    let mut installed: Vec<Installed> = files::list_folder(&records)?
        .iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
        .collect();
    installed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(installed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::manifest::read_manifest;

    #[test]
    fn a_package_of_condas_is_told_once_and_one_of_pips_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("lib/python3.12/site-packages");
        for (name, folder) in [("Some_Thing", "some_thing-1"), ("other", "other-2")] {
            let folder = site.join(format!("{folder}.dist-info"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(
                folder.join("METADATA"),
                format!("Name: {name}\nVersion: 2\n"),
            )
            .unwrap();
        }
        let meta = root.path().join(CONDA_META);
        fs::create_dir(&meta).unwrap();
        fs::write(meta.join("damaged-1-0.json"), "{").unwrap();
        let record = r#"{"name": "some_thing", "version": "1", "build": "py_0", "sha256": "ab", "channel": "c",
            "files": ["lib/python3.12/site-packages/some_thing-1.dist-info/METADATA"]}"#;
        fs::write(meta.join("some_thing-1-py_0.json"), record).unwrap();
        let told: Vec<_> = read_manifest(root.path())
            .unwrap()
            .into_iter()
            .map(|package| (package.name, package.version, package.build))
            .collect();
        assert_eq!(
            told,
            [
                ("other".into(), "2".into(), None),
                ("some_thing".into(), "1".into(), Some("py_0".into()))
            ]
        );
    }
}
