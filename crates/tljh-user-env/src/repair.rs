//! From a damaged environment to one that works, with what was installed if that can be.

use std::path::PathBuf;

use crate::build;
use crate::error::UserEnvError;
use crate::health::{Health, examine, open_up};
use crate::interrupt;
use crate::manifest::{differences, read_manifest};
use crate::progress::Progress;
use crate::record::Record;
use crate::verify::verify;
use crate::workshop::Workshop;

/// What a repair came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Nothing was wrong.
    Nothing,
    /// The modes of so many files and folders were wrong.
    Opened(usize),
    /// This generation is active now.
    Switched(u64),
}

impl Workshop<'_> {
    /// Mends the active generation, or switches to one that works: its own state when it was made, the ones that it
    /// came from, and in the end a new one from the bundle. `fresh` wants the last at once.
    ///
    /// # Errors
    /// Not even the bundle makes an environment that works.
    pub fn repair(&self, fresh: bool) -> Result<Repair, UserEnvError> {
        let _turn = self.begin()?;
        if fresh {
            return self.build_fresh().map(Repair::Switched);
        }
        let active = match self.generations.active_record() {
            Err(error @ UserEnvError::Incomplete { .. }) => {
                log::warn!("{error}");
                let lost = self.generations.active_or_lost();
                return self.back(lost.as_ref()).map(Repair::Switched);
            }
            other => other?,
        };
        let folder = self.generations.folder(active.number);
        let opened = open_up(&folder)?;
        let _ = build::ensure_hooks(&folder);
        let Some(problem) = self.try_out(&active) else {
            self.generations.ensure_no_fallback()?;
            return Ok(if opened > 0 {
                Repair::Opened(opened)
            } else {
                Repair::Nothing
            });
        };
        log::warn!("{problem}");
        self.explain(&active);
        self.back(Some(&active)).map(Repair::Switched)
    }

    /// Looks at a generation as `check` does.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn examine(&self, record: &Record) -> Result<Health, UserEnvError> {
        // Nothing is fetched, so nothing is kept.
        let uv = crate::uv::Uv::new(self.runner, &self.bundle, PathBuf::from("/nonexistent"));
        examine(&self.generations.folder(record.number), record, &uv)
    }

    /// What is wrong with a generation, tried out too; none if it works.
    fn try_out(&self, record: &Record) -> Option<String> {
        let _step = Progress::begin(&format!("trying out generation {}", record.number));
        match self.examine(record) {
            Err(error) => return Some(error.to_string()),
            Ok(health) if !health.is_good() => return Some(health.problems().join("\n")),
            Ok(_) => {}
        }
        verify(&self.generations.folder(record.number), &record.packages)
            .err()
            .map(|error| error.to_string())
    }

    /// Says what was changed by hand since the generation was made.
    fn explain(&self, active: &Record) {
        let folder = self.generations.folder(active.number);
        let now = read_manifest(&folder).unwrap_or_default();
        let changes = differences(&active.packages, &now);
        if changes.is_empty() {
            log::info!(
                "no package was changed by hand since generation {} was made",
                active.number
            );
            return;
        }
        log::info!(
            "changed by hand since generation {} was made:",
            active.number
        );
        for change in changes {
            log::info!("  {change}");
        }
    }

    /// Switches to one that works: the `broken` one as it was made, else an earlier one, else a new one. Where servers
    /// are started from such a one already, it is that.
    fn back(&self, broken: Option<&Record>) -> Result<u64, UserEnvError> {
        let standing_in = match self.generations.fallback()? {
            Some(fallback) => self.generations.ready(fallback.generation)?,
            None => None,
        };
        if let Some(broken) = broken {
            if let Some(copy) = &standing_in
                && copy.parent == Some(broken.number)
                && self.back_to(copy)?
            {
                return Ok(copy.number);
            }
            if let Some(number) = self.back_to_sealed(broken)? {
                return Ok(number);
            }
        }
        if let Some(record) = &standing_in
            && self.back_to(record)?
        {
            return Ok(record.number);
        }
        match self.back_to_earlier(broken)? {
            Some(number) => Ok(number),
            None => self.build_fresh(),
        }
    }

    fn back_to_sealed(&self, record: &Record) -> Result<Option<u64>, UserEnvError> {
        match self.copy_sealed(record) {
            Ok(Some(new)) => {
                self.generations.switch(new.number)?;
                self.settle(new.number);
                Ok(Some(new.number))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                interrupt::refuse()?;
                log::warn!("{error}");
                Ok(None)
            }
        }
    }

    /// The ones that the active generation came from, nearest first, and in the end the bundle's own.
    fn back_to_earlier(&self, broken: Option<&Record>) -> Result<Option<u64>, UserEnvError> {
        for record in self.generations.earlier(broken)? {
            if self.back_to(&record)? {
                return Ok(Some(record.number));
            }
            if let Some(number) = self.back_to_sealed(&record)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Switches to `record` if it works.
    fn back_to(&self, record: &Record) -> Result<bool, UserEnvError> {
        if self.try_out(record).is_some() {
            interrupt::refuse()?;
            return Ok(false);
        }
        self.generations.switch(record.number)?;
        self.settle(record.number);
        Ok(true)
    }

    fn build_fresh(&self) -> Result<u64, UserEnvError> {
        let number = self.build_aside()?.number;
        self.generations.switch(number)?;
        self.settle(number);
        Ok(number)
    }
}
