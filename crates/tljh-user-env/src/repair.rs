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
        let active = match self.generations.active_record() {
            Err(UserEnvError::Incomplete { .. }) => {
                return self.build_fresh().map(Repair::Switched);
            }
            other => other?,
        };
        if fresh {
            return self.build_fresh().map(Repair::Switched);
        }
        let folder = self.generations.folder(active.number);
        let opened = open_up(&folder)?;
        let _ = build::ensure_hooks(&folder);
        let Some(problem) = self.try_out(&active) else {
            return Ok(if opened > 0 {
                Repair::Opened(opened)
            } else {
                Repair::Nothing
            });
        };
        log::warn!("{problem}");
        self.explain(&active);
        if let Some(number) = self.back_to_sealed(&active) {
            return Ok(Repair::Switched(number));
        }
        interrupt::refuse()?;
        if let Some(number) = self.back_to_earlier(&active)? {
            return Ok(Repair::Switched(number));
        }
        interrupt::refuse()?;
        self.build_fresh().map(Repair::Switched)
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

    fn back_to_sealed(&self, active: &Record) -> Option<u64> {
        let sealed = self.generations.sealed(active.number);
        if !sealed.is_dir() {
            return None;
        }
        log::info!("going back to generation {} as it was made", active.number);
        let begun = self.generations.begin(
            self.runner,
            active.engine,
            Some(active.number),
            active.requested.clone(),
        );
        let made = begun.and_then(|record| self.make(&record, &sealed, |_| Ok(())));
        match made {
            Ok(record) => Some(record.number),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        }
    }

    /// The ones that the active generation came from, nearest first.
    fn back_to_earlier(&self, active: &Record) -> Result<Option<u64>, UserEnvError> {
        let mut parent = active.parent;
        while let Some(record) = parent
            .map(|number| self.generations.ready(number))
            .transpose()?
            .flatten()
        {
            if self.try_out(&record).is_none() {
                self.generations.switch(record.number)?;
                self.settle(record.number);
                return Ok(Some(record.number));
            }
            parent = record.parent;
        }
        Ok(None)
    }

    fn build_fresh(&self) -> Result<u64, UserEnvError> {
        let _step = Progress::begin(
            "making the environment anew, with JupyterLab and its companions alone",
        );
        let record = build::build(&self.generations, self.runner, &self.bundle)?;
        let number = record.number;
        verify(&self.generations.folder(number), &record.packages)?;
        self.generations.switch(number)?;
        self.settle(number);
        Ok(number)
    }
}
