//! What every change of the environment works with, and how a new generation comes to be the active one.

use std::path::Path;

use nix::unistd::Uid;
use tljh_machine::{Paths, Runner, Systemd};

use crate::build::ensure_hooks;
use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::interrupt;
use crate::manifest::read_manifest;
use crate::progress::Progress;
use crate::record::Record;
use crate::turn::Turn;
use crate::uv::Uv;
use crate::verify::verify;

/// What uv fetches and unpacks; kept, so that a second attempt is fast.
pub const CACHE: &str = "cache";
/// Byte-compiles what came, and keeps a copy of it.
const COMPILATION: &str = "tljh-user-env-compile.service";
/// Everything that a change works with.
pub struct Workshop<'a> {
    /// The installation.
    pub paths: &'a Paths,
    /// The machine.
    pub runner: &'a dyn Runner,
    /// What the package brings.
    pub bundle: Bundle,
    /// The generations.
    pub generations: Generations,
}

impl<'a> Workshop<'a> {
    /// For the installation below `paths`.
    pub fn new(paths: &'a Paths, runner: &'a dyn Runner) -> Self {
        Self {
            paths,
            runner,
            bundle: Bundle::installed(paths),
            generations: Generations::new(paths),
        }
    }

    /// The right to change the environment, with what interrupted work left removed.
    ///
    /// # Errors
    /// We are not root, or somebody else keeps it.
    pub fn begin(&self) -> Result<Turn, UserEnvError> {
        if !Uid::effective().is_root() {
            return Err(UserEnvError::NotRoot);
        }
        let turn = Turn::take(&self.generations.ensure_root()?)?;
        self.generations.clean()?;
        Ok(turn)
    }

    /// Makes the generation of `record` from the environment `source` by `work`, tries it out and switches to it. If
    /// anything fails, it is removed.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make(
        &self,
        record: &Record,
        source: &Path,
        work: impl FnOnce(&Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let number = record.number;
        let folder = self.generations.folder(number);
        let make = || {
            self.generations.fill(record, source)?;
            ensure_hooks(&folder)?;
            work(&folder)?;
            let step = Progress::begin("trying it out with a throw-away server");
            verify(&folder, &read_manifest(&folder)?)?;
            drop(step);
            let _step = Progress::unlogged("waiting until it is on the disk");
            self.generations.finish(record.clone())
        };
        interrupt::listen();
        let made = make().and_then(|record| {
            interrupt::refuse()?;
            self.generations.switch(number).map(|()| record)
        });
        match made {
            Ok(record) => {
                self.settle(number);
                Ok(record)
            }
            Err(error) => {
                if let Err(left) = self.generations.remove(number) {
                    log::warn!("generation {number} is left over: {left}");
                }
                // Whatever else it says is a consequence.
                Err(if interrupt::is_asked() {
                    UserEnvError::Interrupted
                } else {
                    error
                })
            }
        }
    }

    /// After a switch: a copy of the active generation is kept, those of others go, and what came is compiled. The
    /// environment is in use already, so none of this can fail the change.
    pub fn settle(&self, number: u64) {
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

    /// uv with the cache that is kept.
    ///
    /// # Errors
    /// The cache cannot be made.
    pub fn uv(&self) -> Result<Uv<'a>, UserEnvError> {
        let cache = self.generations.ensure_cache(self.runner, CACHE)?;
        Ok(Uv::new(self.runner, &self.bundle, cache))
    }
}
