//! What administrators installed, brought into an environment of another Python: at its version where that can be had,
//! else a newer one, else not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tljh_machine::files;

use crate::change::constraints::{hub_pin, installed_needs};
use crate::error::UserEnvError;
use crate::manifest::{HUB, Package, headers, metadata_folders, normalize, read_manifest};
use crate::origin::Origin;
use crate::record::Missing;
use crate::uv::{Uv, write_lines};
use crate::workshop::Workshop;

/// A package that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The version that it had.
    pub version: String,
    /// Where it came from, if not from an index.
    pub source: Option<String>,
}

/// What administrators made of an environment.
#[derive(Debug, Default)]
pub struct Burden {
    /// What they asked for, of us, of pip or of uv, in whatever way.
    pub wanted: Vec<Wanted>,
    /// What came along with that, name and version.
    pub along: BTreeMap<String, String>,
    /// Defaults that they removed.
    pub removed: BTreeSet<String>,
}

impl Burden {
    /// Reads it from the files of `environment`; its Python need not start.
    ///
    /// # Errors
    /// The environment cannot be read.
    pub fn read(environment: &Path, origin: &Origin) -> Result<Self, UserEnvError> {
        let needed = needed_names(environment)?;
        let mut burden = Self::default();
        let packages = read_manifest(environment)?;
        for package in &packages {
            let is_ours = package.name == HUB || origin.is_untouched(package);
            let is_asked_for = package.by_pip
                || package.source.is_some()
                || origin.requested.contains(&package.name)
                || origin.bundle.contains_key(&package.name)
                || !needed.contains(&package.name);
            if is_ours {
                continue;
            }
            if is_asked_for {
                burden.wanted.push(Wanted::from(package));
            } else {
                burden
                    .along
                    .insert(package.name.clone(), package.version.clone());
            }
        }
        let is_there = |name: &&String| packages.iter().any(|package| &package.name == *name);
        burden.removed = origin
            .bundle
            .keys()
            .filter(|name| !is_there(name))
            .cloned()
            .collect();
        Ok(burden)
    }
}

impl From<&Package> for Wanted {
    fn from(package: &Package) -> Self {
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            source: package.source.clone(),
        }
    }
}

impl Wanted {
    /// One that could not be had before.
    pub fn again(name: &str, missing: &Missing) -> Self {
        Self {
            name: name.to_string(),
            version: missing.version.clone(),
            source: missing.source.clone(),
        }
    }

    /// As the record remembers it.
    pub fn as_missing(&self) -> Missing {
        Missing {
            version: self.version.clone(),
            source: self.source.clone(),
        }
    }
}

/// The packages that others need always, not for an extra of theirs alone.
///
/// # Errors
/// The environment cannot be read.
pub fn needed_names(environment: &Path) -> Result<BTreeSet<String>, UserEnvError> {
    let mut names = BTreeSet::new();
    for folder in metadata_folders(environment)? {
        let Some(metadata) = files::read_optional(&folder.join("METADATA")).unwrap_or_default()
        else {
            continue;
        };
        for need in headers(&metadata, "Requires-Dist") {
            let (need, marker) = need.split_once(';').unwrap_or((need, ""));
            let end = need
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
                .unwrap_or(need.len());
            if !marker.contains("extra") {
                names.insert(normalize(&need[..end]));
            }
        }
    }
    Ok(names)
}

/// Brings packages into one environment.
pub struct Carrier<'a> {
    workshop: &'a Workshop<'a>,
    uv: Uv<'a>,
    environment: &'a Path,
    /// Why no index answers; none as long as one does.
    pub unreachable: Option<String>,
    /// What could not be had, by name.
    pub missing: BTreeMap<String, Missing>,
}

/// How far uv may go for a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Wheels.
    Wheels,
    /// What has to be built, too.
    Build,
}

impl<'a> Carrier<'a> {
    /// For the environment `environment`.
    ///
    /// # Errors
    /// uv's cache cannot be made.
    pub fn new(workshop: &'a Workshop<'a>, environment: &'a Path) -> Result<Self, UserEnvError> {
        Ok(Self {
            uv: workshop.uv()?,
            workshop,
            environment,
            unreachable: None,
            missing: BTreeMap::new(),
        })
    }

    /// Brings `wanted`, with what came along at the versions that it had as long as that can be.
    ///
    /// # Errors
    /// The disk is full, or the environment's Python does not start.
    pub fn bring(
        &mut self,
        wanted: &[Wanted],
        along: &BTreeMap<String, String>,
    ) -> Result<(), UserEnvError> {
        let (usable, lost): (Vec<Wanted>, Vec<Wanted>) =
            wanted.iter().cloned().partition(is_had_where_it_was);
        for one in lost {
            self.miss(&one);
        }
        if usable.is_empty() {
            return Ok(());
        }
        let along: Vec<String> = along
            .iter()
            .map(|(name, version)| format!("{name}=={version}"))
            .collect();
        self.bring_in_parts(&usable, &along)
    }

    /// All at once, else each half for itself.
    fn bring_in_parts(&mut self, wanted: &[Wanted], along: &[String]) -> Result<(), UserEnvError> {
        let exact: Vec<String> = wanted.iter().map(as_it_was).collect();
        if wanted.is_empty() || self.install(&exact, along, Manner::Wheels)? {
            return Ok(());
        }
        if let [one] = wanted {
            return self.bring_otherwise(one);
        }
        let (first, second) = wanted.split_at(wanted.len() / 2);
        self.bring_in_parts(first, along)?;
        self.bring_in_parts(second, along)
    }

    /// With others of what it needs; else a newer one; else the same built from its source.
    fn bring_otherwise(&mut self, one: &Wanted) -> Result<(), UserEnvError> {
        let newer = format!("{}>{}", one.name, public(&one.version));
        let had = self.install(&[as_it_was(one)], &[], Manner::Wheels)?
            || one.source.is_none() && self.install(&[newer], &[], Manner::Wheels)?
            || self.unreachable.is_none() && self.install(&[as_it_was(one)], &[], Manner::Build)?;
        if !had {
            self.miss(one);
        }
        Ok(())
    }

    fn miss(&mut self, one: &Wanted) {
        // A default that was moved by hand, and is there as the bundle has it.
        let is_there = read_manifest(self.environment)
            .is_ok_and(|packages| packages.iter().any(|package| package.name == one.name));
        if !is_there {
            self.missing.insert(one.name.clone(), one.as_missing());
        }
    }

    /// Whether uv installs these beside what is there, which stays content.
    fn install(
        &mut self,
        requirements: &[String],
        along: &[String],
        manner: Manner,
    ) -> Result<bool, UserEnvError> {
        let mut lines = hub_pin(&read_manifest(self.environment)?);
        lines.extend(installed_needs(self.environment, &BTreeSet::new())?);
        lines.extend_from_slice(along);
        let constraints = write_lines(&lines)?;
        let mut arguments = vec![
            format!("--constraints={}", constraints.path().display()),
            format!("--find-links={}", self.workshop.bundle.wheels().display()),
        ];
        if manner == Manner::Wheels {
            arguments.push("--no-build".into());
        }
        if self.unreachable.is_some() {
            arguments.push("--offline".into());
        }
        arguments.push("--".into());
        arguments.extend_from_slice(requirements);
        let done = self.uv.pip(
            self.environment,
            Path::new("/"),
            &["install", "--quiet"],
            &arguments,
        );
        match done {
            Ok(_) => Ok(true),
            Err(UserEnvError::Unreachable { message }) if self.unreachable.is_none() => {
                log::warn!("the package index could not be reached: {message}");
                self.unreachable = Some(message);
                self.install(requirements, along, manner)
            }
            Err(
                error @ (UserEnvError::DiskFull { .. }
                | UserEnvError::NoPython { .. }
                | UserEnvError::Command(_)),
            ) => Err(error),
            Err(error) => {
                log::debug!("{}: {error}", requirements.join(" "));
                Ok(false)
            }
        }
    }
}

fn as_it_was(one: &Wanted) -> String {
    match &one.source {
        Some(source) => format!("{} @ {source}", one.name),
        None => format!("{}=={}", one.name, one.version),
    }
}

/// A version without its local part, which orders may not have.
fn public(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// Whether a package can be fetched again from where it came from. Nothing is sought elsewhere by its name, which may
/// be another one's there; and of files only those are taken that root alone can have changed meanwhile.
fn is_had_where_it_was(one: &Wanted) -> bool {
    let Some(source) = &one.source else {
        return true;
    };
    let is_wheel = source.ends_with(".whl");
    match source.strip_prefix("file://") {
        Some(path) => is_wheel && is_roots_alone(Path::new(path)),
        None => is_wheel && source.starts_with("https://"),
    }
}

/// Whether a file and the folders above it are root's, and nobody else may write there.
fn is_roots_alone(path: &Path) -> bool {
    path.is_absolute()
        && path.ancestors().all(|part| {
            fs::symlink_metadata(part).is_ok_and(|found| {
                found.uid() == 0 && !found.is_symlink() && found.mode() & 0o022 == 0
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_cannot_have_changed_is_taken_from_a_file() {
        let from = |source: &str| {
            is_had_where_it_was(&Wanted {
                name: "a".into(),
                version: "1".into(),
                source: Some(source.into()),
            })
        };
        assert!(from("https://example.org/a-1-py3-none-any.whl"));
        for source in [
            "http://example.org/a-1-py3-none-any.whl",
            "https://example.org/a.git",
            "file:///nonexistent/a-1-py3-none-any.whl",
            "file:///tmp",
        ] {
            assert!(!from(source), "{source}");
        }
        // Everybody may write to the folder.
        assert!(!is_roots_alone(Path::new("/tmp")));
        assert!(is_roots_alone(Path::new("/usr/bin/env")));
    }

    #[test]
    fn what_is_needed_for_an_extra_alone_is_not_needed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root
            .path()
            .join("lib/python3.13/site-packages/a-1.dist-info");
        fs::create_dir_all(&folder).unwrap();
        let metadata = "Name: a\nRequires-Dist: B.c[x]>=1\nRequires-Dist: d; extra == 'all'\n\n";
        fs::write(folder.join("METADATA"), metadata).unwrap();
        let needed = needed_names(root.path()).unwrap();
        assert_eq!(needed, BTreeSet::from(["b-c".to_string()]));
    }
}
