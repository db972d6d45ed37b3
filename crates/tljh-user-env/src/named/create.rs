//! A named environment comes to be, or is made anew.

use std::collections::BTreeSet;

use super::base::Base;
use super::{Environment, EnvironmentName, Environments, Title, Version, kernel};
use crate::build::check_space;
use crate::error::UserEnvError;
use crate::generations::Active;
use crate::record::Record;
use crate::requirement::Requirement;
use crate::workshop::Workshop;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it is to be called.
    pub name: EnvironmentName,
    /// Which Python; none for the suite's own.
    pub python: Option<Version>,
    /// Whether conda's packages make it.
    pub conda: bool,
    /// What JupyterLab is to call its kernel; none for its name.
    pub title: Option<Title>,
    /// What is to be installed.
    pub packages: Vec<Requirement>,
    /// Whether it is there and is to be made anew.
    pub again: bool,
}

impl Workshop<'_> {
    /// Makes the named environment that is asked for, which this workshop is for, tries its kernel out and shows it to
    /// everybody. One that is made anew keeps its packages, in the same versions where its Python stays the same.
    ///
    /// # Errors
    /// Any step failed; nothing is left of it, and one that was there is as it was.
    pub fn create(&self, asked: &Asked) -> Result<Environment, UserEnvError> {
        let _turn = self.begin()?;
        let environments = Environments::new(self.paths);
        let old = if asked.again {
            Some(environments.wanted(&asked.name)?)
        } else {
            self.refuse_taken(&asked.name)?;
            None
        };
        let base = Base::choose(self, asked, old.as_ref())?;
        self.generations.ensure_root()?;
        check_space(self.generations.root(), base.room())?;
        let title = asked
            .title
            .clone()
            .or_else(|| Some(old.as_ref()?.title.clone()))
            .unwrap_or_else(|| Title::from(&asked.name));
        if old.is_none() {
            environments.describe(&asked.name, title.clone())?;
        }
        match self.create_generation(asked, old.as_ref(), &base) {
            Ok(record) => {
                environments.describe(&asked.name, title.clone())?;
                let environment = Environment {
                    name: asked.name.clone(),
                    title,
                    record,
                    generations: self.generations.clone(),
                };
                environments.show(&environment)?;
                Ok(environment)
            }
            Err(error) => {
                if old.is_none()
                    && let Err(left) = environments.take_away(&asked.name)
                {
                    log::warn!("`{}` is left over, half-made: {left}", asked.name);
                }
                Err(error)
            }
        }
    }

    fn create_generation(
        &self,
        asked: &Asked,
        old: Option<&Environment>,
        base: &Base,
    ) -> Result<Record, UserEnvError> {
        let mut requested: BTreeSet<String> = old
            .map(|old| old.record.requested.clone())
            .unwrap_or_default();
        requested.extend(asked.packages.iter().map(|one| one.name().to_string()));
        let parent = old.map(|old| old.record.number);
        let record = self
            .generations
            .begin(self.runner, base.engine(), parent, requested)?;
        self.make_new(record, |record, folder| {
            base.make(self, asked, old, record, folder)
        })
    }

    /// Refuses a name that stands for something else already.
    fn refuse_taken(&self, name: &EnvironmentName) -> Result<(), UserEnvError> {
        let environments = Environments::new(self.paths).all()?;
        if let Some(other) = environments
            .into_iter()
            .find(|other| other.name.folded() == name.folded())
        {
            return Err(UserEnvError::EnvironmentExists { name: other.name });
        }
        if kernel::is_everybodys(self.paths, name)? {
            return Err(UserEnvError::KernelExists { name: name.clone() });
        }
        match self.generations.active()? {
            Active::Absent | Active::Generation(_) => Ok(()),
            Active::Folder | Active::Foreign => Err(UserEnvError::PathTaken {
                path: self.generations.link().to_path_buf(),
            }),
        }
    }
}
