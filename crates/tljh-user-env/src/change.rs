//! A change of the environment: planned, made in a clone, tried out, and switched to.

mod constraints;
mod installing;
mod venv;

use std::collections::BTreeSet;
use std::path::PathBuf;

use tljh_machine::files;

use crate::build::check_space;
use crate::error::UserEnvError;
use crate::manifest::{Difference, Package, differences, read_manifest};
use crate::record::Record;
use crate::requirement::Requirement;
use crate::turn::Turn;
use crate::uv::Step;
use crate::workshop::Workshop;

/// Room for a clone's folders and a few packages; what a package takes is not known before.
const ROOM: u64 = 300_000_000;

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Wish {
    /// These, and what they need.
    Install(Vec<Requirement>),
    /// These away.
    Remove(Vec<Requirement>),
    /// Newer versions of these, or of all that were asked for by name.
    Upgrade(Vec<Requirement>),
    /// What a file of requirements says.
    Apply(PathBuf),
}

/// A plan for the active generation. The turn is ours until it is dropped.
pub struct Plan {
    /// What is going to happen, by the reckoning of the engine.
    pub steps: Vec<Step>,
    base: Base,
    work: venv::Work,
    requested: BTreeSet<String>,
    _turn: Turn,
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
        let (steps, work) = venv::plan(self, wish, &base)?;
        Ok(Plan {
            steps,
            work,
            requested: requested(wish, &base.parent.requested)?,
            base,
            _turn: turn,
        })
    }

    /// Makes a new generation by `plan`, tries it out and makes it the active one.
    ///
    /// # Errors
    /// Any step failed; the new generation is gone and the active one as it was.
    pub fn apply(&self, plan: &Plan) -> Result<Outcome, UserEnvError> {
        check_space(self.generations.root(), ROOM)?;
        let record = self.generations.begin(
            self.runner,
            Some(plan.base.parent.number),
            plan.requested.clone(),
        )?;
        let source = &plan.base.environment;
        let made = self.make(&record, source, |new| {
            venv::change(self, &plan.work, source, new)
        })?;
        Ok(Outcome {
            changes: differences(&plan.base.packages, &made.packages),
            record: made,
        })
    }
}

/// The packages that will have been asked for by name.
fn requested(wish: &Wish, before: &BTreeSet<String>) -> Result<BTreeSet<String>, UserEnvError> {
    let mut requested = before.clone();
    match wish {
        Wish::Install(wanted) => requested.extend(wanted.iter().map(|one| one.name().to_string())),
        Wish::Remove(unwanted) => {
            requested.retain(|name| unwanted.iter().all(|one| one.name() != name))
        }
        Wish::Upgrade(_) => {}
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
