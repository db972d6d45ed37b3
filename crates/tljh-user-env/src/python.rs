//! The Python of an environment, and the system's.

use std::fs;
use std::path::{Path, PathBuf};

use tljh_machine::files;

use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{conda, site_packages};

/// The system's Python; a link to one of a version.
pub const SYSTEM: &str = "/usr/bin/python3";

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

/// The program of the system's Python by its version, such as `/usr/bin/python3.11`. Environments name this one: where
/// the system gets another Python, they start as long as the old one is there beside it, as it is until
/// `apt autoremove`.
pub fn system_python() -> PathBuf {
    fs::canonicalize(SYSTEM)
        .ok()
        .filter(|path| minor_of(path).is_some())
        .unwrap_or_else(|| SYSTEM.into())
}

/// The 11 of `python3.11`, the last part of a path.
pub fn minor_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("python3.")?.parse().ok()
}

/// The minor version of the Python for which the packages of an environment are.
///
/// # Errors
/// There is no folder of packages.
pub fn made_for(environment: &Path) -> Result<Option<u32>, UserEnvError> {
    Ok(site_packages(environment)?.parent().and_then(minor_of))
}

/// The minor versions of the Python that a virtual environment is for and of the system's, if they differ.
///
/// # Errors
/// There is no folder of packages.
pub fn other_python(environment: &Path) -> Result<Option<(u32, u32)>, UserEnvError> {
    if Engine::of(environment) == Engine::Conda {
        return Ok(None);
    }
    let (own, systems) = (made_for(environment)?, minor_of(&system_python()));
    Ok(own.zip(systems).filter(|(own, systems)| own != systems))
}

/// Has an environment name its Python by its version, if it names it by the link that will lead to another one.
///
/// # Errors
/// The environment cannot be read or written.
pub fn ensure_own_python(environment: &Path) -> Result<(), UserEnvError> {
    let link = environment.join("bin/python");
    let Some(minor) = made_for(environment)? else {
        return Ok(());
    };
    let own = PathBuf::from(format!("{SYSTEM}.{minor}"));
    if fs::read_link(&link).is_ok_and(|target| target == Path::new(SYSTEM)) && own.exists() {
        files::switch_link(&link, &own)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_name_of_a_program() {
        assert_eq!(minor_of(Path::new("/usr/bin/python3.13")), Some(13));
        assert_eq!(minor_of(Path::new("/usr/bin/python3")), None);
        assert_eq!(minor_of(Path::new("/usr/bin/pypy3.10")), None);
    }
}
