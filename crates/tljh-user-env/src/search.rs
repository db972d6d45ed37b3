//! What could be installed of a package.

mod index;
mod pip;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use tljh_machine::files;

use crate::conda::Offer;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{self, Package, read_manifest};
use crate::requirement::Requirement;
use crate::workshop::Workshop;
use index::{Index, read_indexes};
use pip::Pip;

/// Names that are as alike as `numpy` and `numpi`.
const NEAR: f64 = 0.75;
/// How many of them are named.
const SHOWN: usize = 3;

/// A package, as an engine finds it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What it is, in one line, where that is known.
    pub summary: Option<String>,
    /// Newest first.
    pub versions: Vec<Version>,
}

/// A version that can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// As the index writes it.
    pub version: String,
    /// Which one of several of this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Whence, where there are several places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether it is made for the environment's Python.
    pub fits: bool,
    /// Whether it is installed.
    pub installed: bool,
}

impl Workshop<'_> {
    /// Asks for what there is of the package `wanted`. Nothing is changed; for indexes nobody needs to be root.
    ///
    /// # Errors
    /// There is no such package, or the index does not answer.
    pub fn search(&self, wanted: &Requirement) -> Result<Found, UserEnvError> {
        let name = wanted.name();
        let record = self.generations.active_record()?;
        let environment = self.generations.folder(record.number);
        let packages = read_manifest(&environment)?;
        let installed = packages.iter().find(|package| package.name == name);
        let found = match record.engine {
            Engine::Venv => self.search_indexes(&environment, name, installed)?,
            Engine::Conda => self.search_channels(wanted)?,
        };
        let mut found = found.ok_or_else(|| UserEnvError::NotInIndex {
            name: name.into(),
            near: self.near(name, &packages),
        })?;
        for version in &mut found.versions {
            version.installed = installed.is_some_and(|package| package.version == version.version);
        }
        Ok(found)
    }

    /// conda's names may have underscores, so they are looked for as they were given.
    fn search_channels(&self, wanted: &Requirement) -> Result<Option<Found>, UserEnvError> {
        let name = wanted.to_string().to_lowercase();
        let offers = self.conda(&[])?.versions(&[name])?;
        Ok(found(wanted.name(), offers))
    }

    /// As uv does by default, the first index that has the package is the one that counts.
    fn search_indexes(
        &self,
        environment: &Path,
        name: &str,
        installed: Option<&Package>,
    ) -> Result<Option<Found>, UserEnvError> {
        let pip = Pip::new(environment, &self.bundle)?;
        let known = installed.and_then(|_| installed_summary(environment, name));
        for index in read_indexes(self, environment)? {
            let (versions, summary) = std::thread::scope(|scope| {
                let summary = known
                    .is_none()
                    .then(|| scope.spawn(|| pip.summary(&index, name)));
                let versions = versions(&pip, &index, name);
                let summary = summary.and_then(|asked| asked.join().ok().flatten());
                (versions, summary)
            });
            if let Some(versions) = versions? {
                return Ok(Some(Found {
                    name: name.into(),
                    summary: known.or(summary),
                    versions,
                }));
            }
        }
        Ok(None)
    }

    /// Names of packages that are installed or come with tljh, and that somebody may have meant, the nearest first.
    fn near(&self, name: &str, packages: &[Package]) -> Vec<String> {
        let bundled = self.bundle.entries().unwrap_or_default();
        let bundled = bundled.into_iter().map(|entry| entry.name);
        let known: BTreeSet<String> = packages
            .iter()
            .map(|package| package.name.clone())
            .chain(bundled)
            .collect();
        let alike = |known: String| {
            let likeness = strsim::normalized_damerau_levenshtein(&known, name);
            (likeness >= NEAR).then_some((likeness, known))
        };
        let mut near: Vec<(f64, String)> = known.into_iter().filter_map(alike).collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0));
        near.into_iter().take(SHOWN).map(|(_, name)| name).collect()
    }
}

/// What channels offer under one name, which is solved for the environment's own Python, so that all of it fits.
fn found(name: &str, offers: Vec<Offer>) -> Option<Found> {
    let summary = offers.first()?.summary.clone();
    let versions = offers.into_iter().map(|offer| Version {
        version: offer.version,
        build: Some(offer.build),
        channel: Some(offer.channel),
        fits: true,
        installed: false,
    });
    Some(Found {
        name: name.into(),
        summary,
        versions: versions.collect(),
    })
}

/// All versions, and which of them fit.
fn versions(pip: &Pip, index: &Index, name: &str) -> Result<Option<Vec<Version>>, UserEnvError> {
    let (all, fitting) = std::thread::scope(|scope| {
        let all = scope.spawn(|| pip.versions(index, name, &["--ignore-requires-python"]));
        let fitting = pip.versions(index, name, &[]);
        (all.join(), fitting)
    });
    let all = match all {
        Ok(all) => all?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let fitting = fitting?.unwrap_or_default();
    let as_version = |version: String| Version {
        fits: fitting.contains(&version),
        version,
        build: None,
        channel: None,
        installed: false,
    };
    Ok(all.map(|all| all.into_iter().map(as_version).collect()))
}

fn installed_summary(environment: &Path, name: &str) -> Option<String> {
    let folders = manifest::metadata_folders(environment).ok()?;
    folders.iter().find_map(|folder| {
        let metadata = files::read(&folder.join("METADATA")).ok()?;
        let is_it = manifest::normalize(manifest::headers(&metadata, "Name").next()?) == name;
        let summary = manifest::headers(&metadata, "Summary").next()?;
        is_it.then(|| summary.to_string())
    })
}
