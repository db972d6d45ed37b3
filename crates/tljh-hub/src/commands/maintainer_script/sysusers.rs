//! The groups and the proxy's user, made by systemd-sysusers(8).

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tljh_machine::{Invocation, Paths, Runner, files};

use crate::error::HubError;

/// What it writes beside the file itself before it takes its place.
const DATABASES: [&str; 4] = ["passwd", "group", "shadow", "gshadow"];
/// Letters and digits at the end of such a name, at least.
const ENDING: usize = 6;

/// Makes what `tljh.conf` says, once what a killed run left in `/etc` is gone.
///
/// # Errors
/// It failed, or something cannot be removed.
pub fn ensure(paths: &Paths, runner: &dyn Runner) -> Result<(), HubError> {
    ensure_no_leftovers(&paths.root().join("etc"))?;
    runner.run(&Invocation::new("systemd-sysusers").arg("tljh.conf"))?;
    Ok(())
}

fn ensure_no_leftovers(etc: &Path) -> Result<(), HubError> {
    let left = leftovers(etc)?;
    if left.is_empty() {
        return Ok(());
    }
    // Whoever writes these files holds this lock (lckpwdf(3)); then they are no leftovers.
    let lock = OpenOptions::new()
        .write(true)
        .open(etc.join(".pwd.lock"))
        .ok();
    let all = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    if let Some(lock) = &lock
        && fcntl(lock, FcntlArg::F_SETLK(&all)).is_err()
    {
        return Ok(());
    }
    for path in left {
        files::ensure_absent(&path)?;
    }
    Ok(())
}

fn leftovers(etc: &Path) -> Result<Vec<PathBuf>, HubError> {
    if !etc.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = files::list_folder(etc)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = |database: &&str| name.strip_prefix(".#")?.strip_prefix(*database);
        DATABASES.iter().filter_map(ending).any(|end| {
            end.len() >= ENDING && end.chars().all(|letter| letter.is_ascii_alphanumeric())
        })
    });
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_and_nothing_else_does() {
        let etc = tempfile::tempdir().unwrap();
        for name in [
            ".#groupeTljRU",
            ".#shadow0123456789abcdef",
            ".#group",
            ".#grouped.conf",
            "group",
            ".pwd.lock",
        ] {
            fs::write(etc.path().join(name), "").unwrap();
        }
        ensure_no_leftovers(etc.path()).unwrap();
        let mut left: Vec<String> = files::list_folder(etc.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, [".#group", ".#grouped.conf", ".pwd.lock", "group"]);
    }
}
