//! What a backup says of itself: `backup.json`.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tljh_machine::{durable, files};

use super::error::BackupError;

/// The one format that there is.
pub const FORMAT: u32 = 1;
/// Holds the files, below their paths.
pub const FILES: &str = "files";
const NAME: &str = "backup.json";
/// What preinst reads.
const STATE_VERSION: &str = "state-version";

/// `backup.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was made, in whole seconds.
    pub time: DateTime<Utc>,
    /// Version of the package whose state it is.
    pub package: String,
    /// Version of the state.
    pub state_version: u32,
    /// Why it was made.
    pub reason: Reason,
    /// What is in it, folders before what is in them.
    pub entries: Vec<Entry>,
}

/// Why a backup was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Reason {
    /// Somebody asked for it.
    Requested,
    /// Before the state was used by another version of the package.
    Upgrade {
        /// That version.
        to: String,
    },
    /// Before the state was migrated, with the hub stopped.
    Migration {
        /// To this version of the state.
        to: u32,
    },
    /// Before a backup was put back.
    Restore {
        /// Its number.
        of: u64,
    },
}

impl Reason {
    /// Whether a repetition does not need the earlier one.
    pub fn is_of_an_upgrade(&self) -> bool {
        matches!(self, Self::Upgrade { .. } | Self::Migration { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => write!(formatter, "asked for"),
            Self::Upgrade { to } => write!(formatter, "before the change to {to}"),
            Self::Migration { to } => write!(formatter, "before the migration to state {to}"),
            Self::Restore { of } => write!(formatter, "before backup {of} was restored"),
        }
    }
}

/// A file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path without the first slash.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Its SHA-256 in hexadecimal digits.
        sha256: String,
    },
    /// A symbolic link.
    Link {
        /// Where to.
        target: String,
    },
}

impl Manifest {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| match entry.kind {
                Kind::File { size, .. } => size,
                Kind::Folder | Kind::Link { .. } => 0,
            })
            .sum()
    }

    /// Writes it into the folder of a backup that is being made.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let text = format!("{:#}\n", serde_json::json!(self));
        durable::write_new(&folder.join(NAME), text.as_bytes(), 0o600)?;
        let version = format!("{}\n", self.state_version);
        durable::write_new(&folder.join(STATE_VERSION), version.as_bytes(), 0o600)?;
        Ok(())
    }

    /// Reads that of a backup; the error says what is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let text = files::read_optional(&folder.join(NAME))
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("it has no `{NAME}`, so `tljh-hub` did not make it"))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| format!("its `{NAME}` is damaged: {error}"))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "it has format {}, and this version reads {FORMAT}",
                manifest.format
            ));
        }
        Ok(manifest)
    }
}
