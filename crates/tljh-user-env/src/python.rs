//! The Python of an environment.

use std::path::Path;

use tljh_machine::files;

use crate::error::UserEnvError;

/// The version of an environment's Python, as `pyvenv.cfg` tells it.
///
/// # Errors
/// It cannot be read.
pub fn python_version(environment: &Path) -> Result<String, UserEnvError> {
    let settings = files::read(&environment.join("pyvenv.cfg"))?;
    let version = settings
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| matches!(key.trim(), "version_info" | "version"))
        .map(|(_, version)| version.trim().to_string());
    Ok(version.unwrap_or_default())
}
