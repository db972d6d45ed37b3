//! The Python of an environment.

use std::path::Path;

use tljh_machine::files;

use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::conda;

/// The version of an environment's Python, as `pyvenv.cfg` or conda's record of it tell it; empty if they do not.
///
/// # Errors
/// They cannot be read.
pub fn python_version(environment: &Path) -> Result<String, UserEnvError> {
    if Engine::of(environment) == Engine::Conda {
        let installed = conda::installed(environment)?;
        let python = installed.into_iter().find(|record| record.name == "python");
        return Ok(python.map(|record| record.version).unwrap_or_default());
    }
    let settings = files::read(&environment.join("pyvenv.cfg"))?;
    let version = settings
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| matches!(key.trim(), "version_info" | "version"))
        .map(|(_, version)| version.trim().to_string());
    Ok(version.unwrap_or_default())
}
