//! Named environments of a Python that the system had, made anew for the one that it has.
//!
//! Those of other Pythons are left alone: administrators chose them. Each is made aside and tried out. Where that fails, or
//! its packages cannot be had for want of a network, it goes on as it is for as long as its Python is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::carry::{Carrier, Wanted};
use super::python::starts;
use crate::build::{check_space, drop_leftovers};
use crate::change::ROOM;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::manifest::{Package, read_manifest};
use crate::named::{Environment, EnvironmentName, Environments, make_venv};
use crate::python::{SYSTEM, made_for, minor_of, other_python, system_python};
use crate::record::{Missing, Record};
use crate::workshop::Workshop;

/// An environment that was left behind, and its new generation or why there is none.
pub type Followed = (EnvironmentName, Result<Record, UserEnvError>);

/// What a generation is made again with.
struct Load {
    wanted: Vec<Wanted>,
    /// What came along with that, name and version.
    along: BTreeMap<String, String>,
}

impl Workshop<'_> {
    /// Makes named environments of a Python that the system had anew, with the packages that they had. `completing`:
    /// also those that lack some since then.
    ///
    /// # Errors
    /// The environments cannot be listed. What fails for one of them is in the list that is returned.
    pub fn follow_python_in_named(&self, completing: bool) -> Result<Vec<Followed>, UserEnvError> {
        let mut followed = Vec::new();
        for old in Environments::new(self.paths).all()? {
            let lacks = completing && !old.record.missing.is_empty();
            if !lacks && !self.is_left_behind(&old)? {
                continue;
            }
            let done = Workshop::named(self.paths, self.runner, &old.name).renew(&old.name);
            if !matches!(done, Err(UserEnvError::NothingToComplete)) {
                followed.push((old.name, done));
            }
        }
        Ok(followed)
    }

    /// Whether an environment is of the Python that the system had when it was made, or of one of Debian's that is gone.
    fn is_left_behind(&self, environment: &Environment) -> Result<bool, UserEnvError> {
        let folder = environment.folder();
        // One that was broken by hand is for `check` to tell.
        let Ok(Some((own, systems))) = other_python(&folder) else {
            return Ok(false);
        };
        let python = PathBuf::from(format!("{SYSTEM}.{own}"));
        let named = fs::read_link(folder.join("bin/python")).unwrap_or_default();
        if named != python && named != Path::new(SYSTEM) {
            return Ok(false);
        }
        if !python.exists() {
            return Ok(true);
        }
        // Everybody's environment tells which Pythons the system had, and since when.
        let everybodys = Generations::new(self.paths);
        let mut had = false;
        let mut since: Option<String> = None;
        for one in everybodys.all()? {
            if one.engine != Engine::Venv {
                continue;
            }
            match made_for(&everybodys.folder(one.number)) {
                Ok(Some(minor)) if minor == own => had = true,
                Ok(Some(minor)) if minor == systems && since.is_none() => since = Some(one.made),
                _ => {}
            }
        }
        Ok(had && since.is_none_or(|since| environment.record.made < since))
    }

    /// Makes the environment of this workshop anew for the system's Python.
    fn renew(&self, name: &EnvironmentName) -> Result<Record, UserEnvError> {
        let _turn = self.begin()?;
        let old = Environments::new(self.paths).wanted(name)?;
        check_space(self.generations.root(), ROOM)?;
        let python = system_python();
        let is_same = made_for(&old.folder())? == minor_of(&python);
        log::info!(
            "making environment `{name}` anew for {} ...",
            python.display()
        );
        let load = Load::read(&old)?;
        let requested = old.record.requested.clone();
        let parent = Some(old.record.number);
        let record = self
            .generations
            .begin(self.runner, Engine::Venv, parent, requested)?;
        self.make_new(record, |record, folder| {
            make_venv(self, &python, folder)?;
            record.missing = self.bring(&load, folder, starts(&old.folder()))?;
            if is_same && record.missing.len() == old.record.missing.len() {
                return Err(UserEnvError::NothingToComplete);
            }
            drop_leftovers(folder)
        })
    }

    /// Brings `load` into `folder`, where a kernel is already; what could not be had is returned. `patient`: refuses where
    /// that is the network's fault.
    fn bring(
        &self,
        load: &Load,
        folder: &Path,
        patient: bool,
    ) -> Result<BTreeMap<String, Missing>, UserEnvError> {
        let mut along = load.along.clone();
        for package in read_manifest(folder)? {
            along.remove(&package.name);
        }
        let mut carrier = Carrier::new(self, folder)?;
        carrier.bring(&load.wanted, &along)?;
        match carrier.unreachable {
            Some(message) if patient && !carrier.missing.is_empty() => {
                Err(UserEnvError::Unreachable { message })
            }
            _ => Ok(carrier.missing),
        }
    }
}

impl Load {
    fn read(old: &Environment) -> Result<Self, UserEnvError> {
        let is_asked_for = |package: &Package| {
            package.by_pip
                || package.source.is_some()
                || old.record.requested.contains(&package.name)
        };
        let (wanted, along): (Vec<Package>, Vec<Package>) = read_manifest(&old.folder())?
            .into_iter()
            .partition(is_asked_for);
        let mut wanted: Vec<Wanted> = wanted.iter().map(Wanted::from).collect();
        for (name, missing) in &old.record.missing {
            if wanted.iter().all(|one| &one.name != name) {
                wanted.push(Wanted::again(name, missing));
            }
        }
        let along = along.into_iter().map(|one| (one.name, one.version));
        Ok(Self {
            wanted,
            along: along.collect(),
        })
    }
}
