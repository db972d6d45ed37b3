//! Bytecode of an environment's modules: from the package, from another generation, or compiled. Servers, which may not
//! write there, start faster with it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tljh_machine::{CommandError, Invocation, Runner};

use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::manifest::site_packages;

const DEADLINE: Duration = Duration::from_secs(600);
/// What `bytecode.py` ends with where the disk is full: ENOSPC.
const FULL: i32 = 28;

/// Gives all modules of `environment` their bytecode, compiled where `bundle` brings none. Files that are no valid Python
/// are left out.
///
/// # Errors
/// The disk is full, or Python did not run.
pub fn compile(
    environment: &Path,
    runner: &dyn Runner,
    bundle: &Bundle,
) -> Result<(), UserEnvError> {
    run(
        runner,
        place(environment, bundle)?.arg(environment.join("lib")),
    )
}

/// Gives the modules of `environment` the bytecode that `bundle` brings, where it is of the same Python and source. That
/// takes a tenth of the time in which they are compiled. What fails is compiled later.
pub fn bring(environment: &Path, runner: &dyn Runner, bundle: &Bundle) {
    let brought = place(environment, bundle).and_then(|place| run(runner, place));
    if let Err(error) = brought {
        log::warn!("{error}");
    }
}

fn place(environment: &Path, bundle: &Bundle) -> Result<Invocation, UserEnvError> {
    Ok(Invocation::new(environment.join("bin/python"))
        .arg("-I")
        .args(bundle.bytecode(&site_packages(environment)?))
        .deadline(DEADLINE))
}

fn run(runner: &dyn Runner, place: Invocation) -> Result<(), UserEnvError> {
    let done = runner.run(&place).map_err(|error| match error {
        CommandError::Failed {
            code: Some(FULL),
            message,
            ..
        } => UserEnvError::DiskFull { message },
        error => error.into(),
    })?;
    if !done.stderr.trim().is_empty() {
        log::warn!("{}", done.stderr.trim());
    }
    Ok(())
}

/// Gives the files of `new` the bytecode that those of `old` have. Python looks whether it belongs to the source beside
/// it, by size and time, and only ever puts another file in its place, so that the files are shared. What cannot be
/// shared is compiled later.
pub fn share(old: &Path, new: &Path) {
    let Ok(entries) = fs::read_dir(old) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let (from, to) = (entry.path(), new.join(entry.file_name()));
        if entry.file_name() == "__pycache__" {
            link_all(&from, &to);
        } else if to.is_dir() {
            share(&from, &to);
        }
    }
}

fn link_all(from: &Path, to: &Path) {
    // It inherits group and rights from the folder above.
    if fs::create_dir(to).is_err() && !to.is_dir() {
        return;
    }
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let _ = fs::hard_link(entry.path(), to.join(entry.file_name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_the_copy_has_get_bytecode() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        for package in ["kept", "gone"] {
            let folder = old.join(package).join("__pycache__");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("a.cpython-313.pyc"), "code").unwrap();
        }
        fs::create_dir_all(new.join("kept")).unwrap();
        for _ in 0..2 {
            share(&old, &new);
            let shared = new.join("kept/__pycache__/a.cpython-313.pyc");
            assert_eq!(fs::read_to_string(shared).unwrap(), "code");
            assert!(!new.join("gone").exists());
        }
    }
}
