//! Which generation stands in, written down.

use std::path::PathBuf;

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};
use tljh_machine::files;

use super::seen::seen;
use crate::error::UserEnvError;
use crate::generations::Generations;

/// The generation that stands in, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// The active generation; none if it is lost.
    pub broken: Option<u64>,
    /// The one from which servers are started.
    pub generation: u64,
    /// Why, in a line.
    pub reason: String,
    /// In UTC (RFC 3339).
    pub since: String,
    /// What the broken one looked like.
    pub(super) seen: String,
}

impl Fallback {
    /// Since when, in local time, for people.
    pub fn since_locally(&self) -> String {
        DateTime::parse_from_rfc3339(&self.since).map_or_else(
            |_| self.since.clone(),
            |time| {
                time.with_timezone(&Local)
                    .format("%Y-%m-%d %H:%M:%S")
                    .to_string()
            },
        )
    }
}

impl Generations {
    /// The generation that is written down to stand in for the active one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fallback(&self) -> Result<Option<Fallback>, UserEnvError> {
        let text = files::read_optional(&self.fallback_path())?;
        // What another version wrote is found out anew.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The same, if it still holds: the active generation looks as it did, and the other one is there.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn standing_fallback(&self) -> Result<Option<Fallback>, UserEnvError> {
        let Some(fallback) = self.fallback()? else {
            return Ok(None);
        };
        let holds = fallback.seen == seen(self) && self.ready(fallback.generation)?.is_some();
        Ok(holds.then_some(fallback))
    }

    /// Servers start from the active generation again.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn ensure_no_fallback(&self) -> Result<(), UserEnvError> {
        files::ensure_absent(&self.fallback_path())?;
        Ok(files::ensure_tree_absent(&self.fallback_programs())?)
    }

    /// The file.
    pub(super) fn fallback_path(&self) -> PathBuf {
        self.root().join("fallback.json")
    }

    /// Programs of the one that stands in, by its own path; servers have them in their `PATH`.
    pub fn fallback_programs(&self) -> PathBuf {
        self.root().join("fallback-bin")
    }
}
