//! An environment of upstream's TLJH, taken over as a generation: its own tree, made for this very path, with JupyterHub
//! brought to the hub's version from the bundle. Where it cannot serve people so, the bundle makes the first generation.
//!
//! The tree itself is not written to. It moves to where it is kept, so that the way back is a rename.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::carry::needed_names;
use super::defaults::conflicts;
use super::hub::hub_of;
use super::rehearsal::Conflict;
use crate::build::{build, check_space, drop_leftovers, ensure_hooks};
use crate::change::ROOM;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::front;
use crate::generations::Active;
use crate::lock::{self, Entry};
use crate::manifest::{self, HUB, Package, read_manifest};
use crate::python::{ensure_own_python, made_for};
use crate::record::{Record, command_line};
use crate::workshop::Workshop;

/// What every environment has, or what manages one.
const INSTALLERS: [&str; 5] = ["conda", "mamba", "pip", "setuptools", "wheel"];
/// Servers of older ones speak another language with the hub.
const OLDEST_HUB: u32 = 5;

/// What became of it.
pub struct TakenOver {
    /// The generation that is active now.
    pub record: Record,
    /// Why it is not upstream's; none where it is.
    pub reason: Option<UserEnvError>,
    /// What was asked for and is not in it, as requirements.
    pub missing: Vec<String>,
    /// The version of its JupyterHub, where that is not the hub's.
    pub other_hub: Option<String>,
}

impl Workshop<'_> {
    /// Takes over the folder that stands at the environment's path, which is moved to `kept`. None where there is none,
    /// or where it was taken over before. Reaches no index. May be repeated after any interruption.
    ///
    /// # Errors
    /// Nothing can be made of it, for want of room for example; it is then where it was.
    pub fn take_over(&self, kept: &Path) -> Result<Option<TakenOver>, UserEnvError> {
        let _turn = self.begin()?;
        let link = self.generations.link();
        match self.generations.active()? {
            Active::Folder => {}
            // A link to where an administrator has it; the link is what is kept.
            Active::Foreign if link.is_dir() => {}
            Active::Absent | Active::Generation(_) => return Ok(None),
            Active::Foreign => {
                return Err(UserEnvError::Foreign {
                    path: link.to_path_buf(),
                });
            }
        }
        let (record, reason) = match self.begun()? {
            Some(record) => (record, None),
            None => self.make_from(link)?,
        };
        let done = TakenOver {
            missing: self.missing(link, &record)?,
            other_hub: self.hub_beside(&record)?,
            record,
            reason,
        };
        self.generations
            .switch_from_folder(done.record.number, kept)?;
        Ok(Some(done))
    }

    /// A generation that an interrupted run has finished.
    fn begun(&self) -> Result<Option<Record>, UserEnvError> {
        let newest = self.generations.all()?.pop();
        Ok(newest.filter(|record| record.command == command_line()))
    }

    /// Upstream's own, or else the bundle's and why it is.
    fn make_from(&self, link: &Path) -> Result<(Record, Option<UserEnvError>), UserEnvError> {
        check_space(self.generations.root(), ROOM)?;
        let own = self.make_own(link);
        let reason = match own {
            Ok(record) => return Ok((record, None)),
            Err(
                error @ (UserEnvError::Interrupted
                | UserEnvError::NoSpace { .. }
                | UserEnvError::DiskFull { .. }),
            ) => return Err(error),
            Err(error) => error,
        };
        let record = build(&self.generations, self.runner, &self.bundle)?;
        Ok((record, Some(reason)))
    }

    /// A copy of the tree that shares its files, tried out. JupyterHub stays its own where the bundle has not all that the
    /// hub's version needs, which is so for another Python than the system's: that of conda, as a rule.
    fn make_own(&self, link: &Path) -> Result<Record, UserEnvError> {
        match self.make_copy(link, Self::match_hub) {
            Err(error @ UserEnvError::WouldBreak { .. }) => {
                if !hub_of(link)?.is_some_and(|found| speaks_with_the_hub(&found)) {
                    return Err(error);
                }
                self.make_copy(link, |_, _| Ok(()))
            }
            other => other,
        }
    }

    fn make_copy(
        &self,
        link: &Path,
        match_hub: impl FnOnce(&Self, &Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let requested = read_manifest(link)?
            .into_iter()
            .filter(|package| package.by_pip)
            .map(|package| package.name)
            .collect();
        let engine = Engine::of(link);
        let mut record = self
            .generations
            .begin(self.runner, engine, None, requested)?;
        if engine == Engine::Venv {
            // None of it is the bundle's, so that later packages move JupyterHub alone.
            let entries = self.entries_of(link)?;
            record.bundle = Some(lock::versions(&entries));
            record.defaults = Some(BTreeMap::new());
        }
        self.make_new_aside(record, |record, folder| {
            self.generations.fill(record, link)?;
            ensure_hooks(folder)?;
            ensure_own_python(folder)?;
            match_hub(self, folder)?;
            if engine == Engine::Conda {
                front::ensure(folder)?;
            }
            drop_leftovers(folder)
        })
    }

    /// Brings JupyterHub, and of what it needs what is missing or too old, to the versions of the bundle.
    fn match_hub(&self, folder: &Path) -> Result<(), UserEnvError> {
        let entries = self.entries_of(folder)?;
        let wanted = entries.iter().find(|entry| entry.name == HUB);
        match (wanted, hub_of(folder)?) {
            (Some(wanted), Some(found)) if wanted.version == found.version => return Ok(()),
            // pip would take away files that conda's records name.
            (_, Some(found)) if found.is_condas() => return refuse_old(&found),
            _ => {}
        }
        let uv = self.bundle_uv()?;
        let content = conflicts(&uv, folder)?;
        let mut moving = BTreeSet::from([HUB.to_string()]);
        loop {
            self.install_entries(&entries, &moving, folder)?;
            let broken: BTreeSet<Conflict> = &conflicts(&uv, folder)? - &content;
            if broken.is_empty() {
                return Ok(());
            }
            let known = moving.len();
            let needed = broken.iter().map(Conflict::required);
            moving.extend(needed.filter(|name| entries.iter().any(|entry| entry.name == *name)));
            if moving.len() == known {
                return Err(UserEnvError::WouldBreak {
                    broken: broken.iter().map(ToString::to_string).collect(),
                });
            }
        }
    }

    fn install_entries(
        &self,
        entries: &[Entry],
        names: &BTreeSet<String>,
        folder: &Path,
    ) -> Result<(), UserEnvError> {
        let chosen: Vec<String> = entries
            .iter()
            .filter(|entry| names.contains(&entry.name))
            .map(|entry| entry.text.clone())
            .collect();
        self.install_locked(&chosen, folder)
    }

    /// What the bundle has for the Python of an environment.
    fn entries_of(&self, folder: &Path) -> Result<Vec<Entry>, UserEnvError> {
        match made_for(folder)? {
            Some(minor) => self.bundle.entries_for(minor),
            None => Ok(Vec::new()),
        }
    }

    /// The Python packages of `old` that nothing else there needs, and that are not in `record`.
    fn missing(&self, old: &Path, record: &Record) -> Result<Vec<String>, UserEnvError> {
        // An environment that cannot be read has nothing that could be told.
        let Ok(needed) = needed_names(old) else {
            return Ok(Vec::new());
        };
        let now = read_manifest(&self.generations.folder(record.number))?;
        let mut packages = manifest::condas_in_pythons_words(old)?;
        packages.extend(
            read_manifest(old)?
                .into_iter()
                .filter(|one| !one.is_condas()),
        );
        packages.retain(|one| {
            !needed.contains(&one.name)
                && !INSTALLERS.contains(&one.name.as_str())
                && !now.iter().any(|other| other.is(&one.name))
        });
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(packages.iter().map(requirement).collect())
    }
}

fn requirement(package: &Package) -> String {
    match &package.source {
        Some(source) => format!("{} @ {source}", package.name),
        None => format!("{}=={}", package.name, package.version),
    }
}

fn speaks_with_the_hub(found: &Package) -> bool {
    let major = found.version.split('.').next();
    major
        .and_then(|text| text.parse().ok())
        .is_some_and(|major: u32| major >= OLDEST_HUB)
}

/// Refuses a JupyterHub that cannot be moved and whose servers the hub may not understand.
fn refuse_old(found: &Package) -> Result<(), UserEnvError> {
    if speaks_with_the_hub(found) {
        return Ok(());
    }
    Err(UserEnvError::WouldBreak {
        broken: vec![format!(
            "conda's package `{}` {} is too old for the hub",
            found.name, found.version
        )],
    })
}
