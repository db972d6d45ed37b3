//! A change of the environment: planned, made in a clone, tried out, and switched to.

mod conda;
pub mod constraints;
mod file;
mod installing;
mod venv;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tljh_machine::files;

use crate::build::check_space;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{Difference, HUB, Package, differences, normalize, read_manifest};
use crate::progress::Progress;
use crate::record::Record;
use crate::requirement::Requirement;
use crate::turn::Turn;
use crate::workshop::Workshop;

pub use conda::{minor, refuse_lost};

/// Room for a clone's folders and a few packages; what a package takes is not known before.
pub const ROOM: u64 = 300_000_000;

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Wish {
    /// These, and what they need.
    Install(Vec<Requirement>),
    /// These from pip's index, also where the engine is conda.
    Pip(Vec<Requirement>),
    /// These away.
    Remove(Vec<Requirement>),
    /// Newer versions of these, or of all that were asked for by name.
    Upgrade(Vec<Requirement>),
    /// JupyterHub at this version, which is the hub's.
    Hub(String),
    /// What these specifications of conda's name.
    Specs(Vec<String>),
    /// What a file says: pip's requirements, conda's environment.yml or list of archives.
    Apply(PathBuf),
}

/// What an engine is told.
enum Work {
    Uv(venv::Work),
    Conda(conda::Work),
}

/// A plan for the active generation. The turn is ours until it is dropped.
pub struct Plan {
    /// What is going to happen, by the reckoning of the engine.
    pub steps: Vec<Difference>,
    base: Base,
    works: Vec<Work>,
    requested: BTreeSet<String>,
    /// Bytes that have to be free.
    room: u64,
    // Kept until uv has read them again.
    files: Vec<tempfile::NamedTempFile>,
    _turn: Turn,
}

impl Plan {
    /// Takes in what an engine found out. One that has nothing to do is not told to do it.
    fn take(&mut self, steps: Vec<Difference>, work: Work) {
        if !steps.is_empty() {
            self.steps.extend(steps);
            self.works.push(work);
        }
    }
}

/// What a change starts from.
struct Base {
    parent: Record,
    environment: PathBuf,
    packages: Vec<Package>,
}

/// What a change came to.
pub struct Outcome {
    /// The generation that is active now.
    pub record: Record,
    /// What differs from the one before.
    pub changes: Vec<Difference>,
}

impl Workshop<'_> {
    /// Finds out what `wish` means for the active generation. Nothing is changed.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn plan(&self, wish: &Wish) -> Result<Plan, UserEnvError> {
        let turn = self.begin()?;
        let parent = self.generations.active_record()?;
        let environment = self.generations.folder(parent.number);
        let base = Base {
            packages: read_manifest(&environment)?,
            environment,
            parent,
        };
        let mut plan = Plan {
            steps: Vec::new(),
            works: Vec::new(),
            requested: base.parent.requested.clone(),
            room: ROOM,
            files: Vec::new(),
            base,
            _turn: turn,
        };
        match plan.base.parent.engine {
            Engine::Venv => self.plan_with_uv(&mut plan, wish)?,
            Engine::Conda => self.plan_with_conda(&mut plan, wish)?,
        }
        Ok(plan)
    }

    fn plan_with_uv(&self, plan: &mut Plan, wish: &Wish) -> Result<(), UserEnvError> {
        if let Wish::Apply(file) = wish {
            file::refuse_condas(file)?;
        }
        let (steps, work) = venv::plan(self, wish, &plan.base)?;
        plan.requested = requested(wish, &plan.requested)?;
        plan.take(steps, Work::Uv(work));
        Ok(())
    }

    /// What conda installed, conda changes; the rest is pip's.
    fn plan_with_conda(&self, plan: &mut Plan, wish: &Wish) -> Result<(), UserEnvError> {
        let by_conda = |one: &Requirement| {
            let mut packages = plan.base.packages.iter();
            !packages.any(|package| !package.is_condas() && package.is(one.name()))
        };
        match wish {
            Wish::Hub(_) if !is_condas(&plan.base, HUB) => {
                return self.plan_with_uv(plan, wish);
            }
            Wish::Pip(_) => return self.plan_with_uv(plan, wish),
            Wish::Install(_) => return self.plan_condas(plan, wish, &[]),
            Wish::Apply(path) => {
                let content = match file::read(path)? {
                    Some(content) => content,
                    None => return self.plan_with_uv(plan, wish),
                };
                self.plan_condas(plan, &Wish::Specs(content.specs), &content.channels)?;
                if let Some(requirements) = &content.pip {
                    self.plan_with_uv(plan, &Wish::Apply(requirements.path().into()))?;
                }
                plan.files.extend(content.pip);
            }
            Wish::Remove(named) | Wish::Upgrade(named) => {
                let again = |named| match wish {
                    Wish::Remove(_) => Wish::Remove(named),
                    _ => Wish::Upgrade(named),
                };
                let (condas, pips): (Vec<_>, Vec<_>) = named.iter().cloned().partition(by_conda);
                if !condas.is_empty() || named.is_empty() {
                    self.plan_condas(plan, &again(condas), &[])?;
                }
                if !pips.is_empty() || named.is_empty() {
                    self.plan_with_uv(plan, &again(pips))?;
                }
            }
            Wish::Specs(_) | Wish::Hub(_) => return self.plan_condas(plan, wish, &[]),
        }
        Ok(())
    }

    fn plan_condas(
        &self,
        plan: &mut Plan,
        wish: &Wish,
        channels: &[String],
    ) -> Result<(), UserEnvError> {
        let conda = self.conda(channels)?;
        let (steps, work) = conda::plan(&conda, wish, &plan.base, self.needed())?;
        plan.room += work.room;
        plan.requested = requested(wish, &plan.requested)?;
        plan.take(steps, Work::Conda(work));
        Ok(())
    }

    /// Notes what was asked for by name and is there already, so that upgrades know of it.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn note_requested(&self, plan: &Plan) -> Result<(), UserEnvError> {
        let mut record = plan.base.parent.clone();
        if record.requested == plan.requested {
            return Ok(());
        }
        record.requested.clone_from(&plan.requested);
        self.generations.write(&record)
    }

    /// Has `wanted` installed into `folder`, a generation of `record` that is being made.
    ///
    /// # Errors
    /// They cannot be had, or do not fit together.
    pub fn furnish(
        &self,
        record: &Record,
        folder: &Path,
        wanted: Vec<Requirement>,
    ) -> Result<(), UserEnvError> {
        let base = Base {
            parent: record.clone(),
            environment: folder.to_path_buf(),
            packages: read_manifest(folder)?,
        };
        let (_, work) = venv::plan(self, &Wish::Install(wanted), &base)?;
        venv::change(self, &work, folder, folder)
    }

    /// Makes a new generation by `plan`, tries it out and makes it the active one.
    ///
    /// # Errors
    /// Any step failed; the new generation is gone and the active one as it was.
    pub fn apply(&self, plan: &Plan) -> Result<Outcome, UserEnvError> {
        check_space(self.generations.root(), plan.room)?;
        let record = self.generations.begin(
            self.runner,
            plan.base.parent.engine,
            Some(plan.base.parent.number),
            plan.requested.clone(),
        )?;
        let source = &plan.base.environment;
        let made = self.make(&record, source, |new| {
            plan.works.iter().try_for_each(|work| match work {
                Work::Uv(work) => venv::change(self, work, source, new),
                Work::Conda(work) => {
                    let _step = Progress::begin(&format!("changing generation {}", record.number));
                    conda::change(self, work, source, new)
                }
            })
        })?;
        Ok(Outcome {
            changes: differences(&plan.base.packages, &made.packages),
            record: made,
        })
    }
}

/// Whether conda installed `name`.
fn is_condas(base: &Base, name: &str) -> bool {
    let mut packages = base.packages.iter();
    packages.any(|package| package.is_condas() && package.is(name))
}

/// The packages that will have been asked for by name.
fn requested(wish: &Wish, before: &BTreeSet<String>) -> Result<BTreeSet<String>, UserEnvError> {
    let mut requested = before.clone();
    match wish {
        Wish::Install(wanted) | Wish::Pip(wanted) => {
            requested.extend(wanted.iter().map(|one| one.name().to_string()));
        }
        Wish::Specs(specs) => {
            requested.extend(specs.iter().map(|spec| normalize(conda::name_of(spec))));
        }
        Wish::Remove(unwanted) => {
            requested.retain(|name| unwanted.iter().all(|one| one.name() != name))
        }
        Wish::Upgrade(_) | Wish::Hub(_) => {}
        Wish::Apply(file) => {
            // What is no plain requirement there, uv understands.
            let text = files::read(file)?;
            let names = text.lines().filter_map(|line| {
                let line = line.split(['#', '\\']).next()?.trim();
                line.parse::<Requirement>().ok()
            });
            requested.extend(names.map(|one| one.name().to_string()));
        }
    }
    Ok(requested)
}
