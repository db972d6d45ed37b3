//! What came with the package, brought to the versions that it brings now.
//!
//! JupyterHub moves, since it has to match the hub. The other defaults move where nobody touched them and where no
//! package that stays needs the old one. What administrators installed stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::rehearsal::{Conflict, Rehearsal};
use crate::build::{BUNDLE_CACHE, check_space, offline, wheels_alone};
use crate::change::ROOM;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::lock::{self, Entry};
use crate::manifest::{Difference, HUB, Package, read_manifest};
use crate::origin::{Bundled, Origin};
use crate::python::{made_for, other_python};
use crate::record::Record;
use crate::turn::Turn;
use crate::uv::{Uv, on, write_lines};
use crate::workshop::Workshop;

/// A plan. The turn is ours until it is dropped.
pub struct Plan {
    /// What is going to happen.
    pub steps: Vec<Difference>,
    /// Why defaults stay that nobody touched, a sentence each.
    pub held: Vec<String>,
    work: Work,
    _turn: Turn,
}

/// What is worked with.
struct Work {
    parent: Record,
    origin: Origin,
    now: Vec<Package>,
    /// The lock, as far as it is for this Python.
    entries: Vec<Entry>,
    /// What comes or moves, by name.
    moving: BTreeSet<String>,
    /// What the lock had and has no longer.
    dropped: BTreeSet<String>,
}

impl Workshop<'_> {
    /// Whether the package brings other versions than the active generation was brought up to. Where it is for another
    /// Python than the system's, that comes first.
    ///
    /// # Errors
    /// There is no complete generation, or the lock cannot be read.
    pub fn has_other_defaults(&self) -> Result<bool, UserEnvError> {
        let record = self.generations.active_record()?;
        let folder = self.generations.folder(record.number);
        if record.engine != Engine::Venv || other_python(&folder)?.is_some() {
            return Ok(false);
        }
        let entries = self.entries_for(&folder)?;
        let origin = Origin::read(&self.generations, &record)?;
        Ok(!entries.is_empty() && origin.bundle != lock::versions(&entries))
    }

    /// Whether an administrator went back from a generation that was brought up to what the package brings.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn was_taken_back(&self) -> Result<bool, UserEnvError> {
        let active = self.generations.active_record()?;
        let entries = self.entries_for(&self.generations.folder(active.number))?;
        let wanted = Some(lock::versions(&entries));
        let mut later = self.generations.all()?.into_iter();
        Ok(later.any(|one| one.number > active.number && one.bundle == wanted))
    }

    /// Finds out what of the defaults moves in the active generation. Nothing is changed. Waits for others until
    /// `deadline`.
    ///
    /// # Errors
    /// JupyterHub cannot be moved; or the bundle is damaged.
    pub fn plan_defaults(&self, deadline: Duration) -> Result<Plan, UserEnvError> {
        let turn = self.begin_within(deadline)?;
        let parent = self.generations.active_record()?;
        let folder = self.generations.folder(parent.number);
        let entries = if self.has_other_defaults()? {
            self.entries_for(&folder)?
        } else {
            Vec::new()
        };
        let now = read_manifest(&folder)?;
        let mut work = Work {
            origin: Origin::read(&self.generations, &parent)?,
            now,
            entries,
            moving: BTreeSet::new(),
            dropped: BTreeSet::new(),
            parent,
        };
        work.choose();
        let held = if work.moving.is_empty() {
            work.dropped.clear();
            Vec::new()
        } else {
            self.fit(&mut work, &folder)?
        };
        Ok(Plan {
            steps: work.steps(),
            held,
            work,
            _turn: turn,
        })
    }

    /// Makes a new generation by `plan`, tries it out and makes it the active one.
    ///
    /// # Errors
    /// Any step failed; the new generation is gone and the active one as it was.
    pub fn apply_defaults(&self, plan: &Plan) -> Result<Record, UserEnvError> {
        let work = &plan.work;
        check_space(self.generations.root(), ROOM)?;
        let source = self.generations.folder(work.parent.number);
        let mut record = self.generations.begin(
            self.runner,
            Engine::Venv,
            Some(work.parent.number),
            work.parent.requested.clone(),
        )?;
        // Written when it is ready, but for what is known only then.
        record.bundle = Some(lock::versions(&work.entries));
        let content = conflicts(&self.bundle_uv()?, &source)?;
        self.make_new(record, |record, folder| {
            self.generations.fill(record, &source)?;
            crate::build::ensure_hooks(folder)?;
            self.move_defaults(work, folder)?;
            let uv = self.bundle_uv()?;
            let broken: BTreeSet<Conflict> = &conflicts(&uv, folder)? - &content;
            if !broken.is_empty() {
                return Err(UserEnvError::WouldBreak {
                    broken: broken.iter().map(ToString::to_string).collect(),
                });
            }
            record.defaults = Some(work.defaults_in(&read_manifest(folder)?));
            Ok(())
        })
    }

    /// Notes that nothing of what the package brings moves.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn note_defaults(&self, plan: &Plan) -> Result<(), UserEnvError> {
        let work = &plan.work;
        if work.entries.is_empty() {
            return Ok(());
        }
        let mut record = work.parent.clone();
        record.bundle = Some(lock::versions(&work.entries));
        record.defaults = Some(work.defaults_in(&work.now));
        self.generations.write(&record)
    }

    /// Takes out of `work` what would not fit together with what stays, and says why.
    fn fit(&self, work: &mut Work, folder: &Path) -> Result<Vec<String>, UserEnvError> {
        let uv = self.bundle_uv()?;
        let content = conflicts(&uv, folder)?;
        let mut held: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let without = &work.moving | &work.dropped;
            let rehearsal = Rehearsal::new(self, folder, &without)?;
            self.install(work, rehearsal.folder())?;
            let broken: BTreeSet<Conflict> = &conflicts(&uv, rehearsal.folder())? - &content;
            if broken.is_empty() {
                return Ok(held.into_values().collect());
            }
            for conflict in &broken {
                work.resolve(conflict, &mut held)?;
            }
        }
    }

    fn move_defaults(&self, work: &Work, folder: &Path) -> Result<(), UserEnvError> {
        if !work.dropped.is_empty() {
            let uv = self.bundle_uv()?;
            let names: Vec<String> = work.dropped.iter().cloned().collect();
            uv.pip(folder, Path::new("/"), &["uninstall", "--quiet"], &names)?;
        }
        self.install(work, folder)
    }

    /// Installs what moves, and nothing else.
    fn install(&self, work: &Work, folder: &Path) -> Result<(), UserEnvError> {
        let chosen: Vec<String> = work
            .entries
            .iter()
            .filter(|entry| work.moving.contains(&entry.name))
            .map(|entry| entry.text.clone())
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        self.install_locked(&chosen, folder)
    }

    /// Installs these entries of the bundle's lock into an environment, from its wheels alone.
    pub(super) fn install_locked(
        &self,
        chosen: &[String],
        folder: &Path,
    ) -> Result<(), UserEnvError> {
        let requirements = write_lines(chosen)?;
        let uv = self.bundle_uv()?;
        let install = offline(&uv, &["pip", "install", "--no-deps", "--require-hashes"])
            .args(wheels_alone(&self.bundle))
            .args(on(folder))
            .arg("--requirements")
            .arg(requirements.path());
        uv.run(&install).map(drop)
    }

    pub(super) fn bundle_uv(&self) -> Result<Uv<'_>, UserEnvError> {
        let cache = self.generations.ensure_cache(self.runner, BUNDLE_CACHE)?;
        Ok(Uv::new(self.runner, &self.bundle, cache))
    }

    fn entries_for(&self, folder: &Path) -> Result<Vec<Entry>, UserEnvError> {
        match made_for(folder)? {
            Some(minor) => self.bundle.entries_for(minor),
            None => Ok(Vec::new()),
        }
    }
}

impl Work {
    fn installed(&self, name: &str) -> Option<&Package> {
        self.now.iter().find(|package| package.name == name)
    }

    /// What comes, moves and goes if everything fits.
    fn choose(&mut self) {
        let moves = |entry: &&Entry| match self.installed(&entry.name) {
            // What an administrator removed does not come back.
            None => entry.name == HUB || !self.origin.bundle.contains_key(&entry.name),
            Some(package) if package.version == entry.version => false,
            Some(package) => entry.name == HUB || self.origin.is_untouched(package),
        };
        self.moving = self
            .entries
            .iter()
            .filter(moves)
            .map(|entry| entry.name.clone())
            .collect();
        let wanted = lock::versions(&self.entries);
        let goes = |package: &&Package| {
            self.origin.is_recorded
                && self.origin.is_untouched(package)
                && !wanted.contains_key(&package.name)
        };
        self.dropped = self
            .now
            .iter()
            .filter(goes)
            .map(|package| package.name.clone())
            .collect();
    }

    /// Lets one more package stay, or one come, on account of a conflict. Whatever stays, stays, so this comes to an end.
    fn resolve(
        &mut self,
        conflict: &Conflict,
        held: &mut BTreeMap<String, String>,
    ) -> Result<(), UserEnvError> {
        let (package, required) = (&conflict.package, conflict.required());
        if self.dropped.remove(&required) {
            return Ok(());
        }
        let name = match (
            self.moving.contains(package),
            self.moving.contains(&required),
        ) {
            (false, true) => &required,
            (true, false) => {
                let is_locked = self.entries.iter().any(|entry| entry.name == required);
                let may_come = self.installed(&required).is_none() && !held.contains_key(&required);
                if is_locked && may_come {
                    self.moving.insert(required);
                    return Ok(());
                }
                package
            }
            // Taken care of on account of another conflict, or the lock itself is at fault.
            _ if held.contains_key(package) || held.contains_key(&required) => return Ok(()),
            _ => {
                return Err(UserEnvError::WouldBreak {
                    broken: vec![conflict.to_string()],
                });
            }
        };
        if name == HUB {
            return Err(UserEnvError::HubHeld {
                conflict: conflict.to_string(),
            });
        }
        let name = name.clone();
        let version = self
            .installed(&name)
            .map_or("away", |package| &package.version);
        let line = format!("`{name}` stays {version}: {conflict}");
        self.moving.remove(&name);
        held.insert(name, line);
        Ok(())
    }

    fn steps(&self) -> Vec<Difference> {
        let version = |name: &str| self.installed(name).map(|one| one.version.clone());
        let comes = self
            .entries
            .iter()
            .filter(|entry| self.moving.contains(&entry.name))
            .map(|entry| Difference {
                name: entry.name.clone(),
                before: version(&entry.name),
                after: Some(entry.version.clone()),
            });
        let goes = self.dropped.iter().map(|name| Difference {
            name: name.clone(),
            before: version(name),
            after: None,
        });
        comes.chain(goes).collect()
    }

    /// What is the bundle's among `packages`, which are there afterwards.
    fn defaults_in(&self, packages: &[Package]) -> BTreeMap<String, Bundled> {
        let is_ours = |package: &&Package| {
            let was_moved = self.moving.contains(&package.name);
            let was_asked_for = self.origin.requested.contains(&package.name);
            was_moved && !was_asked_for || self.origin.is_untouched(package)
        };
        crate::origin::defaults(packages.iter().filter(is_ours))
    }
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "`{}` requires `{}`",
            self.package, self.requirement
        )
    }
}

pub(super) fn conflicts(
    uv: &Uv<'_>,
    environment: &Path,
) -> Result<BTreeSet<Conflict>, UserEnvError> {
    let sentences = uv.conflicts(environment)?;
    Ok(sentences
        .iter()
        .filter_map(|sentence| Conflict::parse(sentence))
        .collect())
}
