//! Generations of an environment, and the link to the active one.
//!
//! `/opt/tljh/generations/N` is a whole environment, `N.json` beside it its record; `/opt/tljh/user` is a link to the
//! active one. Those of the named environment NAME are in `/opt/tljh/envs/.generations/NAME`, and `/opt/tljh/envs/NAME`
//! is the link. A record says `unfinished` before the first file of a generation is made and before the first is
//! removed, so a generation is there whole or taken away by the next who comes. Whoever changes anything here holds
//! the [`Turn`](crate::turn::Turn).

mod earlier;
mod leftovers;
mod sealed;
mod settling;
mod shared;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tljh_machine::{Paths, Runner, files, tree};

use crate::build::MARKER;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::interrupt;
use crate::json;
use crate::manifest::read_manifest;
use crate::named::EnvironmentName;
use crate::progress::Progress;
use crate::python::python_version;
use crate::record::{Record, State};
use shared::{ensure_shared_folder, may_share};

/// Beside the generations: what root alone may reach.
const PRIVATE: &str = ".private";

/// The generations of one environment.
#[derive(Debug, Clone)]
pub struct Generations {
    folder: PathBuf,
    link: PathBuf,
    name: Option<EnvironmentName>,
    /// Where what all environments are made from is kept.
    caches: PathBuf,
}

/// What stands at the environment's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// Nothing, or an empty folder.
    Absent,
    /// A link to this generation, which may be missing.
    Generation(u64),
    /// A folder with something in it.
    Folder,
    /// Something that we never make.
    Foreign,
}

impl Generations {
    /// The generations of everybody's environment below `paths`.
    pub fn new(paths: &Paths) -> Self {
        Self {
            folder: paths.user_generations(),
            link: paths.user_environment(),
            name: None,
            caches: paths.user_generations().join(PRIVATE),
        }
    }

    /// Those of a named environment, which need not exist.
    pub fn named(paths: &Paths, name: &EnvironmentName) -> Self {
        Self {
            folder: paths.named_generations().join(name.as_str()),
            link: paths.named_environments().join(name.as_str()),
            name: Some(name.clone()),
            caches: paths.user_generations().join(PRIVATE),
        }
    }

    /// The name of the environment; none for everybody's.
    pub fn name(&self) -> Option<&EnvironmentName> {
        self.name.as_ref()
    }

    /// The path by which everybody knows the environment.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Where they are.
    pub fn root(&self) -> &Path {
        &self.folder
    }

    /// The folder of generation `number`.
    pub fn folder(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// What stands at the environment's path.
    ///
    /// # Errors
    /// A folder there cannot be read.
    pub fn active(&self) -> Result<Active, UserEnvError> {
        let Ok(metadata) = fs::symlink_metadata(&self.link) else {
            return Ok(Active::Absent);
        };
        if metadata.is_dir() {
            let empty = files::list_folder(&self.link)?.is_empty();
            return Ok(if empty {
                Active::Absent
            } else {
                Active::Folder
            });
        }
        let target = fs::read_link(&self.link).unwrap_or_default();
        let number = target
            .strip_prefix(self.relative())
            .ok()
            .and_then(|number| number.to_str()?.parse().ok());
        Ok(number.map_or(Active::Foreign, Active::Generation))
    }

    /// The record of the active generation.
    ///
    /// # Errors
    /// There is none that is complete.
    pub fn active_record(&self) -> Result<Record, UserEnvError> {
        let incomplete = || match &self.name {
            Some(name) => UserEnvError::NoEnvironment { name: name.clone() },
            None => UserEnvError::Incomplete {
                path: self.link.clone(),
            },
        };
        match self.active()? {
            Active::Generation(number) => self.ready(number)?.ok_or_else(incomplete),
            _ => Err(incomplete()),
        }
    }

    /// The record of `number`; none if there is no such generation, or if it is not ready.
    ///
    /// # Errors
    /// The record is damaged or cannot be read.
    pub fn ready(&self, number: u64) -> Result<Option<Record>, UserEnvError> {
        let record = self.read(number)?;
        Ok(record.filter(|record| record.state == State::Ready && self.folder(number).is_dir()))
    }

    /// As [`Generations::ready`], for a number that somebody asked for.
    ///
    /// # Errors
    /// Also: there is no such generation.
    pub fn wanted(&self, number: u64) -> Result<Record, UserEnvError> {
        self.ready(number)?
            .ok_or(UserEnvError::NoGeneration { number })
    }

    /// The records of all that are ready, oldest first.
    ///
    /// # Errors
    /// A record is damaged or cannot be read.
    pub fn all(&self) -> Result<Vec<Record>, UserEnvError> {
        let mut records = Vec::new();
        for number in self.numbers()? {
            records.extend(self.ready(number)?);
        }
        Ok(records)
    }

    /// Begins the generation after the newest: its record, and its empty folder with the group's rights.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(
        &self,
        runner: &dyn Runner,
        engine: Engine,
        parent: Option<u64>,
        requested: BTreeSet<String>,
    ) -> Result<Record, UserEnvError> {
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        let mut record = Record::begin(number, engine, parent, requested);
        if let Some(parent) = parent
            .map(|number| self.read(number))
            .transpose()?
            .flatten()
        {
            (record.bundle, record.defaults) = (parent.bundle, parent.defaults);
            record.missing = parent.missing;
        }
        self.write(&record)?;
        ensure_shared_folder(runner, &self.folder(number))?;
        Ok(record)
    }

    /// Fills the folder of `record` with what is in the environment `source`, sharing what can be shared.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn fill(&self, record: &Record, source: &Path) -> Result<(), UserEnvError> {
        let target = self.folder(record.number);
        let step = Progress::counted(
            &format!("copying the environment to generation {}", record.number),
            || tree::count_files(source),
        );
        let mut each = || {
            step.advance();
            interrupt::refuse().map_err(|_| std::io::ErrorKind::Interrupted.into())
        };
        let cloned = tree::clone_tree_watched(source, &target, &may_share, &mut each);
        Ok(cloned?)
    }

    /// Declares a generation ready, with what is installed now, once all of it is on disk.
    ///
    /// # Errors
    /// It cannot be read, or the disk does not take it.
    pub fn finish(&self, mut record: Record) -> Result<Record, UserEnvError> {
        let folder = self.folder(record.number);
        record.packages = read_manifest(&folder)?;
        let packages = &record.packages;
        let is_there = |name: &str| packages.iter().any(|package| package.name == name);
        record.missing.retain(|name, _| !is_there(name));
        record.python = python_version(&folder)?;
        record.state = State::Ready;
        wait_until_written(&folder)?;
        self.write(&record)?;
        Ok(record)
    }

    /// Makes `number` the active one, by one rename.
    ///
    /// # Errors
    /// Something that is not ours stands at the environment's path.
    pub fn switch(&self, number: u64) -> Result<(), UserEnvError> {
        if self.active()? == Active::Absent {
            // An empty folder.
            let _ = fs::remove_dir(&self.link);
        }
        self.mark_unsettled()?;
        let target = self.relative().join(number.to_string());
        files::switch_link(&self.link, &target)?;
        // What stood in for another one stands in no more.
        self.ensure_no_fallback()
    }

    /// Takes a complete environment that stands as a folder at the environment's path in as a new generation, active
    /// all the while. In a container's image, where folders cannot be moved, it is copied, and away for a moment.
    ///
    /// # Errors
    /// It can be neither moved nor copied.
    pub fn adopt(&self, runner: &dyn Runner) -> Result<Record, UserEnvError> {
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        let folder = self.folder(number);
        let link = self.relative().join(number.to_string());
        self.mark_unsettled()?;
        match files::move_behind_link(&self.link, &folder, &link) {
            // The record comes second here: as long as there is no folder, it would have it removed.
            Ok(()) => self.finish(Record::begin(number, Engine::Venv, None, BTreeSet::new())),
            Err(error) if error.is_immovable() => self.adopt_copy(runner),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes `number` the active one in the place of the folder that stands at the environment's path, which is moved to
    /// `kept`, at once.
    ///
    /// # Errors
    /// It cannot be moved; it is then where it was.
    pub fn switch_from_folder(&self, number: u64, kept: &Path) -> Result<(), UserEnvError> {
        self.mark_unsettled()?;
        if kept.is_symlink() {
            // A run that was killed had prepared the exchange.
            files::ensure_absent(kept)?;
        }
        let link = self.relative().join(number.to_string());
        Ok(files::move_behind_link(&self.link, kept, &link)?)
    }

    fn adopt_copy(&self, runner: &dyn Runner) -> Result<Record, UserEnvError> {
        let record = self.begin(runner, Engine::Venv, None, BTreeSet::new())?;
        self.fill(&record, &self.link)?;
        let record = self.finish(record)?;
        // From here on what is left of the folder is no environment.
        files::write_atomically(&self.link.join(MARKER), b"", 0o644)?;
        files::ensure_tree_absent(&self.link)?;
        self.switch(record.number)?;
        Ok(record)
    }

    /// Removes a generation.
    ///
    /// # Errors
    /// It cannot be removed; it is then unfinished.
    pub fn remove(&self, number: u64) -> Result<(), UserEnvError> {
        if let Some(mut record) = self.read(number).unwrap_or_default() {
            record.state = State::Unfinished;
            self.write(&record)?;
        }
        files::ensure_tree_absent(&self.folder(number))?;
        files::ensure_tree_absent(&self.sealed(number))?;
        Ok(files::ensure_absent(&self.record_path(number))?)
    }

    /// Where uv keeps what it fetched and unpacked; on the same file system, so that generations link to it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn ensure_cache(&self, runner: &dyn Runner, name: &str) -> Result<PathBuf, UserEnvError> {
        self.ensure_private()?;
        let cache = self.cache(name);
        if !cache.is_dir() {
            ensure_shared_folder(runner, &cache)?;
        }
        Ok(cache)
    }

    /// See [`Generations::ensure_cache`].
    pub fn cache(&self, name: &str) -> PathBuf {
        self.private().join(name)
    }

    /// The folder that holds them, and the lock in it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn ensure_root(&self) -> Result<PathBuf, UserEnvError> {
        files::ensure_folder(&self.folder, 0o755)?;
        Ok(self.folder.join(".lock"))
    }

    fn ensure_private(&self) -> Result<(), UserEnvError> {
        Ok(files::ensure_folder(&self.private(), 0o700)?)
    }

    fn private(&self) -> PathBuf {
        self.folder.join(PRIVATE)
    }

    /// The folder of generations as the link names it, which is right below any root.
    fn relative(&self) -> PathBuf {
        let beside = self.link.parent().unwrap_or(Path::new("/"));
        let relative = self.folder.strip_prefix(beside);
        relative.unwrap_or(&self.folder).to_path_buf()
    }

    fn record_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    fn read(&self, number: u64) -> Result<Option<Record>, UserEnvError> {
        let path = self.record_path(number);
        let Some(text) = files::read_optional(&path)? else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| UserEnvError::Stamp { path, source })
    }

    /// Writes a record in the place of the one that there is.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn write(&self, record: &Record) -> Result<(), UserEnvError> {
        json::write(&self.record_path(record.number), record, 0o644)
    }

    /// Every number that a folder or a record has, smallest first.
    fn numbers(&self) -> Result<Vec<u64>, UserEnvError> {
        if !self.folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut numbers: Vec<u64> = files::list_folder(&self.folder)?
            .iter()
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?;
                name.strip_suffix(".json").unwrap_or(name).parse().ok()
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}

/// Returns once everything on the file system of `folder` is on its disk.
fn wait_until_written(folder: &Path) -> Result<(), UserEnvError> {
    let failed = |source| UserEnvError::FileSystem {
        path: folder.to_path_buf(),
        source,
    };
    let opened = fs::File::open(folder).map_err(failed)?;
    nix::unistd::syncfs(&opened).map_err(|errno| failed(errno.into()))
}
