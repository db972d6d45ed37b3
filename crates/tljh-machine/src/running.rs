//! What the hub runs on: told by `tljh-hub run` before JupyterHub starts, read by those who wait for it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::{self, FileError};
use crate::paths::Paths;

/// The configuration that the hub was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// [`fingerprint`] of its text.
    pub fingerprint: String,
    /// Fingerprint of the administrator's snippets.
    pub snippets: String,
    /// Starts with it, one after the other, that ended before the hub answered.
    pub failures: u32,
    /// Why it is not the one in the file; `None` if it is.
    pub fallback: Option<Fallback>,
}

/// A hub on an older configuration, with the snippets of that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// Number of that configuration in the history.
    pub version: u64,
    /// [`fingerprint`] of the configuration that is not used.
    pub refused: String,
    /// Fingerprint of the snippets that are not used.
    pub refused_snippets: String,
    /// The file or folder that is to be corrected.
    pub file: PathBuf,
    /// What is wrong with it, without values.
    pub reason: String,
}

/// SHA-256 of a configuration's text, in hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Running {
    /// Reads what was told; `None` if the hub was not started since it was last stopped.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>, FileError> {
        let text = files::read_optional(&paths.running())?;
        // A file that another version wrote tells nothing.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Tells it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<(), FileError> {
        let text = serde_json::json!(self).to_string();
        files::write_atomically(&paths.running(), text.as_bytes(), 0o600)
    }
}
