//! What was done, and what was said about it: `adoption.json` beside what is kept of upstream's.

use std::path::PathBuf;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use tljh_machine::{Paths, files};

use super::error::AdoptError;

/// The one format that there is.
const FORMAT: u32 = 1;

/// A part of an adoption, in the order in which they are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// A state of ours from before upstream's was installed is kept as a backup.
    Earlier,
    /// config.yaml, snippets, and what else is beside them.
    Configuration,
    /// The hub's database and secrets.
    State,
    /// The passwords of the first-use authenticator.
    Passwords,
    /// Linux accounts of hub users.
    Accounts,
    /// Changes of upstream's units.
    Units,
    /// What the hub's environment had besides.
    Extras,
    /// The configuration, read as the hub will.
    Check,
    /// The user environment.
    Environment,
}

/// `adoption.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    format: u32,
    /// When it was begun, in whole seconds.
    pub began: DateTime<Utc>,
    /// When the package was configured; none before.
    pub finished: Option<DateTime<Utc>>,
    /// What is done.
    pub done: Vec<Done>,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    pub step: Step,
    /// What it told, a line each.
    pub told: Vec<String>,
}

fn path(paths: &Paths) -> PathBuf {
    paths.upstream().join("adoption.json")
}

impl Journal {
    /// Reads the one that there is; none where no adoption was begun.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>, AdoptError> {
        let path = path(paths);
        let Some(text) = files::read_optional(&path)? else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| AdoptError::Journal { path, source })
    }

    /// Reads the one that there is, or begins one.
    ///
    /// # Errors
    /// It is damaged, or cannot be read or written.
    pub fn open(paths: &Paths) -> Result<Self, AdoptError> {
        if let Some(begun) = Self::read(paths)? {
            return Ok(begun);
        }
        let journal = Self {
            format: FORMAT,
            began: Utc::now().trunc_subsecs(0),
            finished: None,
            done: Vec::new(),
        };
        journal.write(paths)?;
        Ok(journal)
    }

    /// Whether a step is done.
    pub fn is_done(&self, step: Step) -> bool {
        self.done.iter().any(|done| done.step == step)
    }

    /// Notes that a step is done.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn note(&mut self, paths: &Paths, step: Step, told: Vec<String>) -> Result<(), AdoptError> {
        self.done.push(Done { step, told });
        self.write(paths)
    }

    /// Notes that all is done.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn finish(&mut self, paths: &Paths) -> Result<(), AdoptError> {
        self.finished = Some(Utc::now().trunc_subsecs(0));
        self.write(paths)
    }

    fn write(&self, paths: &Paths) -> Result<(), AdoptError> {
        let text = format!("{:#}\n", serde_json::json!(self));
        Ok(files::write_atomically(
            &path(paths),
            text.as_bytes(),
            0o600,
        )?)
    }
}
