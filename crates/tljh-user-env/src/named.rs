//! Named environments, which everybody has as kernels: `/opt/tljh/envs/NAME`.
//!
//! Each has generations of its own below `/opt/tljh/envs/.generations/NAME`, and `environment.json` beside them, which is
//! written first and removed first: an environment without it is taken away, and one with it and with an active
//! generation gets its kernel. Whoever changes anything here holds the [`Turn`](crate::turn::Turn).

mod base;
mod create;
mod interpreter;
pub mod kernel;
mod name;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tljh_machine::{Invocation, Paths, Runner, files};

use crate::error::UserEnvError;
use crate::generations::{Active, Generations};
use crate::health::why_python_does_not_start;
use crate::in_use::generations_in_use;
use crate::json;
use crate::record::Record;

pub use base::make_venv;
pub use create::Asked;
pub use interpreter::Version;
pub use name::{EnvironmentName, Title};

/// The package that makes a kernel of an environment.
pub const KERNEL: &str = "ipykernel";
const DESCRIPTION: &str = "environment.json";

/// The named environments of an installation.
#[derive(Debug, Clone, Copy)]
pub struct Environments<'a> {
    paths: &'a Paths,
}

/// What of an environment no generation tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    display_name: Title,
}

/// A named environment that is there and can be used.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What it is called.
    pub name: EnvironmentName,
    /// What JupyterLab calls its kernel.
    pub title: Title,
    /// Its active generation.
    pub record: Record,
    /// Its generations.
    pub generations: Generations,
}

impl Environment {
    /// The active generation's folder.
    pub fn folder(&self) -> PathBuf {
        self.generations.folder(self.record.number)
    }

    /// Why its Python does not start.
    pub fn problem(&self, runner: &dyn Runner) -> Option<String> {
        let python = self.folder().join("bin/python");
        match why_python_does_not_start(&self.folder()) {
            Ok(None) => {}
            Ok(Some(problem)) => return Some(problem),
            Err(error) => return Some(error.to_string()),
        }
        if !python.exists() {
            let gone = fs::read_link(&python).unwrap_or(python);
            return Some(format!("`{}` is gone", gone.display()));
        }
        let start = Invocation::new(&python).args(["-I", "-c", "pass"]);
        runner.run(&start).err().map(|error| error.to_string())
    }

    /// Bytes of all its files; those that it shares with others count here too.
    pub fn size(&self) -> u64 {
        size(&self.folder())
    }
}

impl<'a> Environments<'a> {
    /// Those below `paths`.
    pub fn new(paths: &'a Paths) -> Self {
        Self { paths }
    }

    /// All that can be used, by name.
    ///
    /// # Errors
    /// Their folder cannot be read.
    pub fn all(&self) -> Result<Vec<Environment>, UserEnvError> {
        let mut all = Vec::new();
        for name in self.names()? {
            match self.find(&name) {
                Ok(found) => all.extend(found),
                Err(error) => log::warn!("environment `{name}` is passed over: {error}"),
            }
        }
        Ok(all)
    }

    /// The environment of exactly that name, if it can be used.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn find(&self, name: &EnvironmentName) -> Result<Option<Environment>, UserEnvError> {
        let Some(description) = self.description(name)? else {
            return Ok(None);
        };
        let generations = Generations::named(self.paths, name);
        let Active::Generation(number) = generations.active()? else {
            return Ok(None);
        };
        Ok(generations.ready(number)?.map(|record| Environment {
            name: name.clone(),
            title: description.display_name,
            record,
            generations,
        }))
    }

    /// As [`Environments::find`], for a name that somebody asked for.
    ///
    /// # Errors
    /// Also: there is no such environment.
    pub fn wanted(&self, name: &EnvironmentName) -> Result<Environment, UserEnvError> {
        let found = self.find(name)?;
        found.ok_or_else(|| UserEnvError::NoEnvironment { name: name.clone() })
    }

    /// Removes what interrupted work left, and old generations that nobody uses but the one before the active; shows the
    /// kernels of all that can be used and of no others.
    ///
    /// # Errors
    /// Something cannot be read, removed or written.
    pub fn clean(&self) -> Result<(), UserEnvError> {
        for name in self.names()? {
            match self.completed(&name) {
                Ok(Some(environment)) => self.tend(&environment)?,
                Ok(None) => self.take_away(&name)?,
                // One whose record is damaged is no hindrance to others.
                Err(error) => log::warn!("environment `{name}` is left alone: {error}"),
            }
        }
        let names = self.names()?;
        for shown in kernel::all(self.paths)? {
            if !names.iter().any(|name| name.folded() == shown.folded()) {
                kernel::ensure_absent(self.paths, &shown)?;
            }
        }
        Ok(())
    }

    /// Takes an environment and its kernel away. What running kernels use of it goes once they have ended, with a later
    /// [`Environments::clean`].
    ///
    /// # Errors
    /// Something cannot be removed; the next who comes goes on.
    pub fn take_away(&self, name: &EnvironmentName) -> Result<(), UserEnvError> {
        let generations = Generations::named(self.paths, name);
        files::ensure_absent(&self.description_path(name))?;
        if !self.is_alike(name)? {
            kernel::ensure_absent(self.paths, name)?;
        }
        if matches!(generations.active()?, Active::Generation(_)) {
            files::ensure_absent(generations.link())?;
        }
        generations.clean()?;
        drop_unused(&generations, &[])?;
        generations.forget_settling()?;
        if generations.root().is_dir() && files::list_folder(generations.root())?.is_empty() {
            files::ensure_tree_absent(generations.root())?;
        }
        Ok(())
    }

    /// Shows the kernel of `environment`.
    ///
    /// # Errors
    /// It cannot be written.
    fn show(&self, environment: &Environment) -> Result<(), UserEnvError> {
        kernel::ensure_shown(
            self.paths,
            &environment.name,
            &environment.folder(),
            environment.generations.link(),
            environment.title.as_str(),
        )
    }

    /// As [`Environments::find`], for one whose link is lost or was not made yet, too.
    fn completed(&self, name: &EnvironmentName) -> Result<Option<Environment>, UserEnvError> {
        let generations = Generations::named(self.paths, name);
        if self.description(name)?.is_some()
            && generations.active()? == Active::Absent
            && let Some(newest) = generations.all()?.pop()
        {
            generations.switch(newest.number)?;
        }
        self.find(name)
    }

    /// Removes of an environment what [`Environments::clean`] removes, and shows its kernel.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn tend(&self, environment: &Environment) -> Result<(), UserEnvError> {
        environment.generations.clean()?;
        let record = &environment.record;
        let mut kept = vec![record.number];
        kept.extend(record.parent);
        drop_unused(&environment.generations, &kept)?;
        // An environment that somebody broke by hand is no hindrance to others.
        if let Err(error) = self.show(environment) {
            log::warn!(
                "the kernel of `{}` cannot be shown: {error}",
                environment.name
            );
        }
        Ok(())
    }

    /// Whether another environment has this name but for upper and lower case: what is left of one that was deleted does
    /// not stand for its kernel.
    fn is_alike(&self, name: &EnvironmentName) -> Result<bool, UserEnvError> {
        let names = self.names()?.into_iter();
        let mut alike = names.filter(|one| one != name && one.folded() == name.folded());
        Ok(alike.any(|one| self.description_path(&one).exists()))
    }

    /// The names of all of which something is there.
    fn names(&self) -> Result<Vec<EnvironmentName>, UserEnvError> {
        let folder = self.paths.named_generations();
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let names = files::list_folder(&folder)?;
        let names = names.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    fn description_path(&self, name: &EnvironmentName) -> PathBuf {
        self.paths
            .named_generations()
            .join(name.as_str())
            .join(DESCRIPTION)
    }

    fn description(&self, name: &EnvironmentName) -> Result<Option<Description>, UserEnvError> {
        let path = self.description_path(name);
        let Some(text) = files::read_optional(&path)? else {
            return Ok(None);
        };
        // A damaged one costs the kernel its title and nothing else.
        Ok(Some(serde_json::from_str(&text).unwrap_or(Description {
            display_name: Title::from(name),
        })))
    }

    fn describe(&self, name: &EnvironmentName, title: Title) -> Result<(), UserEnvError> {
        let description = Description {
            display_name: title,
        };
        json::write(&self.description_path(name), &description, 0o644)
    }
}

/// Removes the generations that are neither in `kept` nor used by running kernels.
fn drop_unused(generations: &Generations, kept: &[u64]) -> Result<(), UserEnvError> {
    let all = generations.all()?;
    let mut old = all
        .iter()
        .map(|record| record.number)
        .filter(|number| !kept.contains(number))
        .peekable();
    if old.peek().is_none() {
        return Ok(());
    }
    let in_use = generations_in_use(generations.root());
    for number in old.filter(|number| !in_use.contains(number)) {
        generations.remove(number)?;
    }
    Ok(())
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, metadata)| {
            if metadata.is_dir() {
                size(&path)
            } else {
                metadata.len()
            }
        })
        .sum()
}
