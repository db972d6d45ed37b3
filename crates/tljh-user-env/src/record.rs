//! What is known of a generation: one JSON file beside its folder, which everybody may read and only root writes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::manifest::Package;
use crate::origin::Bundled;

/// How far a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being made, or being taken away: whoever finds it later removes it.
    Unfinished,
    /// Made to the end and, unless it is the bundle's own, tried out.
    Ready,
}

/// The record of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// How far it is.
    pub state: State,
    /// When it was begun, in UTC (RFC 3339).
    pub made: String,
    /// The command line that made it.
    pub command: String,
    /// Who gave the command.
    pub by: String,
    /// What made it, and changes it.
    pub engine: Engine,
    /// Version of its Python, such as `3.11.2`.
    pub python: String,
    /// The generation that it was made from; none for one that was made from the bundle.
    pub parent: Option<u64>,
    /// The packages that were asked for by name, in this generation and in those that it came from.
    pub requested: BTreeSet<String>,
    /// What was installed when it was ready.
    pub packages: Vec<Package>,
    /// The lock of the bundle that it was brought up to, name and version; none in records of earlier versions of this
    /// program, see [`Origin`](crate::origin::Origin).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BTreeMap<String, String>>,
    /// What it has from a bundle; there if `bundle` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<BTreeMap<String, Bundled>>,
    /// What was there before the system's Python changed and could not be had for the new one, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, Missing>,
}

/// A package that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The version that it had.
    pub version: String,
    /// Where it came from, if not from an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Record {
    /// A generation that is begun now.
    pub fn begin(
        number: u64,
        engine: Engine,
        parent: Option<u64>,
        requested: BTreeSet<String>,
    ) -> Self {
        Self {
            number,
            state: State::Unfinished,
            made: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            command: command_line(),
            by: who(),
            engine,
            python: String::new(),
            parent,
            requested,
            packages: Vec::new(),
            bundle: None,
            defaults: None,
            missing: BTreeMap::new(),
        }
    }

    /// When it was begun, in local time, for people.
    pub fn made_locally(&self) -> String {
        DateTime::parse_from_rfc3339(&self.made).map_or_else(
            |_| self.made.clone(),
            |time| {
                time.with_timezone(&Local)
                    .format("%Y-%m-%d %H:%M:%S")
                    .to_string()
            },
        )
    }
}

/// `a 1.0, b 2.0`.
pub fn names(missing: &BTreeMap<String, Missing>) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|(name, missing)| format!("{name} {}", missing.version))
        .collect();
    names.join(", ")
}

/// The arguments of this process. Requirements with secrets in them are refused before.
pub fn command_line() -> String {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Below which root is no news to who reads it there.
    if arguments.first().is_some_and(|first| first == "--root") {
        arguments.drain(..arguments.len().min(2));
    }
    arguments.join(" ")
}

/// Who is behind sudo, else who we are.
pub fn who() -> String {
    std::env::var("SUDO_USER")
        .ok()
        .or_else(|| users::get_current_username().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "root".into())
}
