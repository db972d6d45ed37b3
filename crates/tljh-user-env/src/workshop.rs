//! What every change of the environment works with, and how a new generation comes to be the active one.

use std::path::Path;
use std::time::Duration;

use nix::unistd::Uid;
use tljh_machine::{Paths, Runner, Systemd};
use tljh_settings::Settings;

use crate::activation;
use crate::build::{build, ensure_hooks};
use crate::bundle::Bundle;
use crate::bytecode;
use crate::change::constraints::condas_pins;
use crate::conda::Conda;
use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::interrupt;
use crate::manifest::{Package, read_manifest};
use crate::named::{EnvironmentName, Environments, KERNEL};
use crate::progress::Progress;
use crate::record::Record;
use crate::turn::{self, Turn};
use crate::uv::{Uv, write_lines};
use crate::verify::{SERVER, verify, verify_kernel};

/// What uv fetches and unpacks; kept, so that a second attempt is fast.
pub const CACHE: &str = "cache";
/// As [`CACHE`], of conda's archives.
pub const CONDA_CACHE: &str = "conda-cache";
/// Byte-compiles what came, and keeps a copy of it.
pub const COMPILATION: &str = "tljh-user-env-compile.service";
/// Everything that a change works with.
pub struct Workshop<'a> {
    /// The installation.
    pub paths: &'a Paths,
    /// The machine.
    pub runner: &'a dyn Runner,
    /// What the package brings.
    pub bundle: Bundle,
    /// The generations of the environment that is meant.
    pub generations: Generations,
    /// Channels of conda packages that were named on the command line; they go before those of the configuration.
    pub channels: Vec<String>,
}

impl<'a> Workshop<'a> {
    /// For everybody's environment below `paths`.
    pub fn new(paths: &'a Paths, runner: &'a dyn Runner) -> Self {
        Self {
            paths,
            runner,
            bundle: Bundle::installed(paths),
            generations: Generations::new(paths),
            channels: Vec::new(),
        }
    }

    /// For a named environment, which need not exist.
    pub fn named(paths: &'a Paths, runner: &'a dyn Runner, name: &EnvironmentName) -> Self {
        Self {
            generations: Generations::named(paths, name),
            ..Self::new(paths, runner)
        }
    }

    /// The packages without which the environment is of no use.
    pub fn needed(&self) -> &'static [&'static str] {
        match self.generations.name() {
            Some(_) => &[KERNEL],
            None => &SERVER,
        }
    }

    /// The right to change any environment, with what interrupted work left removed.
    ///
    /// # Errors
    /// We are not root, or somebody else keeps it.
    pub fn begin(&self) -> Result<Turn, UserEnvError> {
        self.begin_within(turn::DEADLINE)
    }

    /// As [`Workshop::begin`], for who cannot wait that long.
    ///
    /// # Errors
    /// As there, after `deadline`.
    pub fn begin_within(&self, deadline: Duration) -> Result<Turn, UserEnvError> {
        if !Uid::effective().is_root() {
            return Err(UserEnvError::NotRoot);
        }
        let everybodys = Generations::new(self.paths);
        let turn = Turn::take_within(&everybodys.ensure_root()?, deadline)?;
        everybodys.clean()?;
        // What everybody works in can be mended whatever became of the others.
        if let Err(error) = Environments::new(self.paths).clean() {
            log::warn!("named environments could not be tidied up: {error}");
        }
        Ok(turn)
    }

    /// As [`Workshop::make_new`], from a copy of the environment `source`.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make(
        &self,
        record: &Record,
        source: &Path,
        work: impl FnOnce(&Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let record = self.make_aside(record, source, work)?;
        self.put_in_place(record)
    }

    /// Makes the generation of `record`, whose folder is empty, by `work`, which may complete the record, tries it out and
    /// switches to it. If anything fails, it is removed.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make_new(
        &self,
        record: Record,
        work: impl FnOnce(&mut Record, &Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let record = self.make_new_aside(record, work)?;
        self.put_in_place(record)
    }

    fn put_in_place(&self, record: Record) -> Result<Record, UserEnvError> {
        if let Err(error) = self.generations.switch(record.number) {
            self.discard(record.number);
            return Err(error);
        }
        self.settle(record.number);
        Ok(record)
    }

    /// As [`Workshop::make`], without switching.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make_aside(
        &self,
        record: &Record,
        source: &Path,
        work: impl FnOnce(&Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        self.make_new_aside(record.clone(), |record, folder| {
            self.generations.fill(record, source)?;
            ensure_hooks(folder)?;
            work(folder)
        })
    }

    /// As [`Workshop::make_new`], without switching.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make_new_aside(
        &self,
        mut record: Record,
        work: impl FnOnce(&mut Record, &Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let number = record.number;
        let folder = self.generations.folder(number);
        let make = || {
            work(&mut record, &folder)?;
            activation::ensure(&folder, self.generations.link())?;
            self.refuse_broken(&folder)?;
            let _step = Progress::unlogged("waiting until it is on the disk");
            self.generations.finish(record)
        };
        interrupt::listen();
        let made = make().and_then(|record| interrupt::refuse().map(|()| record));
        made.map_err(|error| {
            self.discard(number);
            // Whatever else it says is a consequence.
            if interrupt::is_asked() {
                UserEnvError::Interrupted
            } else {
                error
            }
        })
    }

    /// Makes a generation from the bundle alone and tries it out. If anything fails, it is removed.
    ///
    /// # Errors
    /// Any step failed.
    pub fn build_aside(&self) -> Result<Record, UserEnvError> {
        let _step = Progress::begin(
            "making the environment anew, with JupyterLab and its companions alone",
        );
        let record = build(&self.generations, self.runner, &self.bundle)?;
        let folder = self.generations.folder(record.number);
        // The trial is the first that gains by it.
        bytecode::bring(&folder, self.runner, &self.bundle);
        match verify(&folder, &record.packages) {
            Ok(()) => Ok(record),
            Err(error) => {
                self.discard(record.number);
                Err(error)
            }
        }
    }

    fn discard(&self, number: u64) {
        // With it goes what would tell after a power cut that the caches may be damaged.
        if let Err(error) = self.generations.wait_for_caches() {
            log::warn!("{error}");
        }
        if let Err(left) = self.generations.remove(number) {
            log::warn!("generation {number} is left over: {left}");
        }
    }

    /// Refuses an environment with which people cannot work: a server has to answer, or the kernel of a named one.
    fn refuse_broken(&self, folder: &Path) -> Result<(), UserEnvError> {
        if self.generations.name().is_some() {
            let _step = Progress::begin("trying its kernel out");
            return verify_kernel(folder, self.generations.link());
        }
        let _step = Progress::begin("trying it out with a throw-away server");
        verify(folder, &read_manifest(folder)?)
    }

    /// After a switch: a copy of the active generation is kept, those of others go, and what came is compiled. The
    /// environment is in use already, so none of this can fail the change.
    pub fn settle(&self, number: u64) {
        if let Some(name) = self.generations.name() {
            if let Err(error) = self.settle_named(name) {
                log::warn!("`{name}` was not byte-compiled, or has old files left: {error}");
            }
            return;
        }
        let settled = if Systemd::is_booted(self.paths) {
            Systemd::new(self.runner)
                // One that works on the generation before begins anew.
                .begin_renewal(COMPILATION)
                .map_err(UserEnvError::from)
        } else {
            let _step = Progress::unlogged("keeping a copy of it");
            self.generations
                .seal(self.runner, number)
                .and_then(|()| self.generations.drop_seals_but(number))
        };
        if let Err(error) = settled {
            log::warn!("generation {number} was not byte-compiled and copied: {error}");
        }
    }

    /// Named environments have no copies; what came is compiled together with everybody's.
    fn settle_named(&self, name: &EnvironmentName) -> Result<(), UserEnvError> {
        let environments = Environments::new(self.paths);
        environments.tend(&environments.wanted(name)?)?;
        Generations::new(self.paths).mark_unsettled()?;
        if Systemd::is_booted(self.paths) {
            Systemd::new(self.runner).begin_renewal(COMPILATION)?;
        }
        Ok(())
    }

    /// uv with the cache that is kept.
    ///
    /// # Errors
    /// The cache cannot be made.
    pub fn uv(&self) -> Result<Uv<'a>, UserEnvError> {
        let cache = Generations::new(self.paths).ensure_cache(self.runner, CACHE)?;
        Ok(Uv::new(self.runner, &self.bundle, cache))
    }

    /// `tljh-conda` with the channels of the command line, of a file (`channels`) and of the configuration, and with the
    /// cache that is kept.
    ///
    /// # Errors
    /// The configuration cannot be read, or the cache not be made.
    pub fn conda(&self, channels: &[String]) -> Result<Conda<'a>, UserEnvError> {
        let configured = Settings::load(&self.paths.config_yaml())?
            .user_environment
            .channels;
        let mut all: Vec<String> = Vec::new();
        for channel in self.channels.iter().chain(channels).chain(&configured) {
            if !all.contains(channel) {
                all.push(channel.clone());
            }
        }
        let cache = Generations::new(self.paths).ensure_cache(self.runner, CONDA_CACHE)?;
        Ok(Conda::new(self.runner, &self.bundle, cache, all))
    }

    /// Has pip's packages of `manifest` in the environment `new` too, in their versions: from the wheels of the bundle,
    /// and what is not there from the index.
    ///
    /// # Errors
    /// They cannot be had, or do not fit to what conda installed.
    pub fn ensure_pips(&self, new: &Path, manifest: &[Package]) -> Result<(), UserEnvError> {
        let mut wanted: Vec<String> = Vec::new();
        for package in manifest.iter().filter(|package| !package.is_condas()) {
            let (name, version) = (&package.name, &package.version);
            wanted.push(match &package.source {
                Some(source) => format!("{name} @ {source}"),
                None => format!("{name}=={version}"),
            });
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let pins = write_lines(&condas_pins(new)?)?;
        let given = |options: &[&str]| {
            let mut arguments: Vec<String> = options.iter().map(ToString::to_string).collect();
            arguments.push(format!("--constraints={}", pins.path().display()));
            arguments.push(format!("--find-links={}", self.bundle.wheels().display()));
            arguments.push("--".into());
            arguments.extend_from_slice(&wanted);
            arguments
        };
        let uv = self.uv()?;
        let install = |options: &[&str]| {
            uv.pip(
                new,
                Path::new("/"),
                &["install", "--quiet"],
                &given(options),
            )
        };
        install(&["--no-index"]).or_else(|_| install(&[])).map(drop)
    }
}
