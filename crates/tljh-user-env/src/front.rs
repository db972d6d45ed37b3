//! `conda` and `mamba` in an environment that has neither: what administrators are used to type goes to this program.

use std::path::Path;

use tljh_machine::files;

use crate::error::UserEnvError;
use crate::manifest::conda;

const PROGRAMS: [&str; 2] = ["conda", "mamba"];
/// Tells ours from theirs, and from a package's of another name.
const MARK: &str = "# Stands in for conda where it is not installed; see tljh-user-env(1).";

/// Puts them where conda did not install its own.
///
/// # Errors
/// The environment cannot be read or written.
pub fn ensure(environment: &Path) -> Result<(), UserEnvError> {
    let installed = conda::installed(environment)?;
    let text = format!("#!/bin/sh\n{MARK}\nexec /usr/bin/tljh-user-env conda \"$@\"\n");
    for name in PROGRAMS {
        let path = environment.join("bin").join(name);
        if !installed.iter().any(|package| package.name == name) && !path.exists() {
            files::write_atomically(&path, text.as_bytes(), 0o755)?;
        }
    }
    Ok(())
}

/// Takes them away, so that packages find nothing in their place.
///
/// # Errors
/// One cannot be removed.
pub fn ensure_absent(environment: &Path) -> Result<(), UserEnvError> {
    for name in PROGRAMS {
        let path = environment.join("bin").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.contains(MARK) {
            files::ensure_absent(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_real_conda_is_left_alone_and_ours_goes_before_it_comes() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("mamba"), "theirs").unwrap();
        for _ in 0..2 {
            ensure(root.path()).unwrap();
        }
        assert!(
            fs::read_to_string(bin.join("conda"))
                .unwrap()
                .contains(MARK)
        );
        assert_eq!(fs::read_to_string(bin.join("mamba")).unwrap(), "theirs");
        ensure_absent(root.path()).unwrap();
        assert!(!bin.join("conda").exists());
        assert!(bin.join("mamba").exists());
    }
}
