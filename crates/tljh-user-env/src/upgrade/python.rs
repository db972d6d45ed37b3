//! From an environment of a Python that the system had to one of the Python that it has.
//!
//! Packages are made for one version of Python, so nothing is copied: the bundle makes a new environment, and what
//! administrators had is brought into it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::carry::{Burden, Carrier, Wanted, needed_names};
use crate::build::{
    BUNDLE_CACHE, check_space, ensure_hooks, finish_files, make_empty, offline, wheels_alone,
};
use crate::bytecode;
use crate::change::ROOM;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::generations::Active;
use crate::lock;
use crate::manifest::{Difference, Package, differences, read_manifest};
use crate::origin::{Origin, defaults};
use crate::python::{ensure_own_python, made_for, minor_of, other_python, system_python};
use crate::record::{Missing, Record, names};
use crate::uv::{Uv, on, write_lines};
use crate::workshop::Workshop;

/// What an upgrade came to.
#[derive(Debug)]
pub enum PythonUpgrade {
    /// The environment is for the system's Python, and nothing is missing.
    Nothing,
    /// What was missing cannot be had now either.
    StillMissing(BTreeMap<String, Missing>),
    /// A new generation.
    Made {
        /// It; active, or gone again after a dry run.
        record: Box<Record>,
        /// What differs from the one before.
        changes: Vec<Difference>,
    },
}

impl Workshop<'_> {
    /// As [`Workshop::upgrade_python`], where the system's Python has changed and nobody wants it otherwise; for services.
    ///
    /// # Errors
    /// As there.
    pub fn follow_python(&self) -> Result<PythonUpgrade, UserEnvError> {
        let Active::Generation(number) = self.generations.active()? else {
            return Ok(PythonUpgrade::Nothing);
        };
        let folder = self.generations.folder(number);
        let Some((_, minor)) = other_python(&folder)? else {
            return Ok(PythonUpgrade::Nothing);
        };
        self.ensure_own_pythons()?;
        let is_later = |one: &Record| {
            one.number > number
                && made_for(&self.generations.folder(one.number)).is_ok_and(|it| it == Some(minor))
        };
        if starts(&folder) && self.generations.all()?.iter().any(is_later) {
            log::info!(
                "generation {number} is for another Python than the system's, and somebody went back to it; \
                 `sudo tljh-user-env upgrade-python` makes a new one"
            );
            return Ok(PythonUpgrade::Nothing);
        }
        self.upgrade_python(false)
    }

    /// Where the system's Python is no longer the active generation's: makes a new generation, tries it out and switches
    /// to it. Where packages are missing since then: tries to get them.
    ///
    /// # Errors
    /// Any step failed; the active generation is as it was.
    pub fn upgrade_python(&self, dry_run: bool) -> Result<PythonUpgrade, UserEnvError> {
        let is_done = |record: &Record| -> Result<bool, UserEnvError> {
            let folder = self.generations.folder(record.number);
            let is_other = record.engine == Engine::Venv && other_python(&folder)?.is_some();
            Ok(!is_other && record.missing.is_empty())
        };
        // Without the turn: it is asked at each start of the hub.
        if is_done(&self.generations.active_record()?)? {
            return Ok(PythonUpgrade::Nothing);
        }
        let _turn = self.begin()?;
        let active = self.generations.active_record()?;
        if is_done(&active)? {
            return Ok(PythonUpgrade::Nothing);
        }
        if other_python(&self.generations.folder(active.number))?.is_none() {
            return self.bring_missing(&active, dry_run);
        }
        self.ensure_own_pythons()?;
        self.rebuild(&active, dry_run)
    }

    /// Generations of the Python that the system had start as long as it is there.
    fn ensure_own_pythons(&self) -> Result<(), UserEnvError> {
        for record in self.generations.all()? {
            if let Err(error) = ensure_own_python(&self.generations.folder(record.number)) {
                log::debug!("generation {}: {error}", record.number);
            }
        }
        Ok(())
    }

    fn rebuild(&self, active: &Record, dry_run: bool) -> Result<PythonUpgrade, UserEnvError> {
        let needed = self.bundle.installed_size()? + ROOM;
        check_space(self.generations.root(), needed)?;
        let old = self.generations.folder(active.number);
        let origin = Origin::read(&self.generations, active)?;
        let mut burden = Burden::read(&old, &origin)?;
        for (name, missing) in &active.missing {
            if burden.wanted.iter().all(|one| &one.name != name) {
                burden.wanted.push(Wanted::again(name, missing));
            }
        }
        let before = read_manifest(&old)?;
        let make = |burden: &Burden, left: &[Wanted]| {
            self.new_generation(active, &before, dry_run, |record, folder| {
                self.fill_anew(record, folder, burden)?;
                let left = left.iter().map(|one| (one.name.clone(), one.as_missing()));
                record.missing.extend(left);
                Ok(())
            })
        };
        match make(&burden, &[]) {
            Err(error @ UserEnvError::Broken { .. })
                if !burden.wanted.is_empty() && !starts(&old) =>
            {
                // Without what administrators installed is better than not at all.
                log::warn!("{error}\nmaking the environment without what was installed besides");
                let bare = Burden {
                    removed: burden.removed.clone(),
                    ..Burden::default()
                };
                make(&bare, &burden.wanted)
            }
            done => done,
        }
    }

    /// Makes a new generation by `work`, or only rehearses that.
    fn new_generation(
        &self,
        active: &Record,
        before: &[Package],
        dry_run: bool,
        work: impl FnOnce(&mut Record, &Path) -> Result<(), UserEnvError>,
    ) -> Result<PythonUpgrade, UserEnvError> {
        let requested = active.requested.clone();
        let mut record =
            self.generations
                .begin(self.runner, active.engine, Some(active.number), requested)?;
        let number = record.number;
        let made = if dry_run {
            let folder = self.generations.folder(number);
            let done = work(&mut record, &folder).and_then(|()| read_manifest(&folder));
            self.generations.remove(number)?;
            record.packages = done?;
            record
        } else {
            self.make_new(record, work)?
        };
        Ok(PythonUpgrade::Made {
            changes: differences(before, &made.packages),
            record: Box::new(made),
        })
    }

    /// Fills an empty folder: the bundle, and what administrators had.
    fn fill_anew(
        &self,
        record: &mut Record,
        folder: &Path,
        burden: &Burden,
    ) -> Result<(), UserEnvError> {
        let cache = self.generations.ensure_cache(self.runner, BUNDLE_CACHE)?;
        let uv = Uv::new(self.runner, &self.bundle, cache);
        let python = system_python();
        log::info!(
            "making generation {} for {} ...",
            record.number,
            python.file_name().unwrap_or_default().display()
        );
        make_empty(&uv, folder, self.generations.link())?;
        record.missing = self.install_bundle(&uv, folder)?;
        let entries = self
            .bundle
            .entries_for(minor_of(&python).unwrap_or_default())?;
        record.bundle = Some(lock::versions(&entries));
        record.defaults = Some(defaults(read_manifest(folder)?.iter()));
        remove_unneeded(&uv, folder, burden)?;
        if !burden.wanted.is_empty() {
            log::info!("bringing what was installed besides ...");
        }
        let mut carrier = Carrier::new(self, folder)?;
        carrier.bring(&burden.wanted, &burden.along)?;
        record.missing.append(&mut carrier.missing);
        bytecode::bring(folder, self.runner, &self.bundle);
        finish_files(folder)
    }

    /// From the bundle's wheels; those that are for another Python from the index; those that are not there either are
    /// returned.
    fn install_bundle(
        &self,
        uv: &Uv<'_>,
        folder: &Path,
    ) -> Result<BTreeMap<String, Missing>, UserEnvError> {
        let lock = self.bundle.requirements();
        let hashed = ["pip", "install", "--require-hashes"];
        let alone = offline(uv, &hashed)
            .args(wheels_alone(&self.bundle))
            .args(on(folder))
            .arg("--requirements");
        let Err(error) = uv.run(&alone.clone().arg(&lock)) else {
            return Ok(BTreeMap::new());
        };
        if matches!(error, UserEnvError::DiskFull { .. }) {
            return Err(error);
        }
        log::info!("not all wheels of this package are for this Python; asking the index ...");
        let online = uv
            .invocation(&hashed)
            .args(["--quiet", "--no-build", "--find-links"])
            .arg(self.bundle.wheels())
            .args(on(folder))
            .arg("--requirements")
            .arg(&lock);
        let Err(error) = uv.run(&online) else {
            return Ok(BTreeMap::new());
        };
        log::warn!("{error}");
        let minor = made_for(folder)?.unwrap_or_default();
        let there = self.bundle.entries_for(minor)?;
        let lines: Vec<String> = there.iter().map(|entry| entry.text.clone()).collect();
        let requirements = write_lines(&lines)?;
        uv.run(&alone.arg(requirements.path()).arg("--no-deps"))?;
        // What has no wheel at all is for other systems.
        let mut lacking = self.bundle.entries_with(|_| true)?;
        lacking.retain(|entry| !there.contains(entry));
        let lacking: BTreeMap<String, Missing> = lacking
            .into_iter()
            .map(|entry| {
                let missing = Missing {
                    version: entry.version,
                    source: None,
                };
                (entry.name, missing)
            })
            .collect();
        log::warn!(
            "of what comes with tljh these cannot be had for this Python: {}",
            names(&lacking)
        );
        Ok(lacking)
    }

    /// Tries to get what could not be had before, in a copy of the active generation.
    fn bring_missing(&self, active: &Record, dry_run: bool) -> Result<PythonUpgrade, UserEnvError> {
        check_space(self.generations.root(), ROOM)?;
        let wanted: Vec<Wanted> = active
            .missing
            .iter()
            .map(|(name, missing)| Wanted::again(name, missing))
            .collect();
        let source = self.generations.folder(active.number);
        let before = read_manifest(&source)?;
        let done = self.new_generation(active, &before, dry_run, |record, folder| {
            self.generations.fill(record, &source)?;
            ensure_hooks(folder)?;
            let mut carrier = Carrier::new(self, folder)?;
            carrier.bring(&wanted, &BTreeMap::new())?;
            record.missing = carrier.missing;
            if record.missing.len() == wanted.len() {
                // Nothing to switch to.
                return Err(UserEnvError::NothingToComplete);
            }
            Ok(())
        });
        match done {
            Err(UserEnvError::NothingToComplete) => {
                Ok(PythonUpgrade::StillMissing(active.missing.clone()))
            }
            done => done,
        }
    }
}

/// Takes away the defaults that administrators had removed, unless another package needs them.
fn remove_unneeded(uv: &Uv<'_>, folder: &Path, burden: &Burden) -> Result<(), UserEnvError> {
    loop {
        let needed = needed_names(folder)?;
        let unneeded: Vec<String> = read_manifest(folder)?
            .into_iter()
            .map(|package| package.name)
            .filter(|name| burden.removed.contains(name) && !needed.contains(name))
            .collect();
        if unneeded.is_empty() {
            return Ok(());
        }
        uv.pip(folder, Path::new("/"), &["uninstall", "--quiet"], &unneeded)?;
    }
}

/// Whether the Python of an environment is there, and the one that its packages are for.
pub fn starts(environment: &Path) -> bool {
    let found = fs::canonicalize(environment.join("bin/python")).ok();
    let found = found.as_deref().and_then(minor_of);
    found.is_some() && made_for(environment).is_ok_and(|wanted| wanted == found)
}
