//! JSON files of ours.

use std::path::Path;

use serde::Serialize;
use tljh_machine::files;

use crate::error::UserEnvError;

/// Writes `data` as one line to `path`, in the place of what is there.
///
/// # Errors
/// It is nothing that JSON has, or the disk does not take it.
pub fn write(path: &Path, data: &impl Serialize, mode: u32) -> Result<(), UserEnvError> {
    let text = serde_json::to_string(data).map_err(|source| UserEnvError::Stamp {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(files::write_atomically(
        path,
        format!("{text}\n").as_bytes(),
        mode,
    )?)
}
