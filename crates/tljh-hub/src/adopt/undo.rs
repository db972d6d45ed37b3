//! The two ends of an adoption: the way back, and the end of it.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tljh_machine::{Invocation, Paths, Runner, files};
use tljh_terminal::ask;

use super::copies::copy;
use super::error::AdoptError;
use super::{adopted, undone};
use crate::backup::{Backups, Reason};
use crate::{packages, restore};

/// In the order in which they go: tljh-hub's postrm, the last, brings upstream's back.
const PACKAGES: [&str; 5] = [
    "tljh",
    "tljh-config",
    "tljh-user-env",
    "tljh-proxy",
    "tljh-hub",
];
/// Servers and hub are stopped, and thousands of files removed.
const DEADLINE: Duration = Duration::from_secs(900);
/// What the adopted installation had become, for who wants something of it.
const KEPT: &str = "var/backups/tljh-adopted";
/// Where among that what is installed in the user environment is listed.
const PACKAGE_LIST: &str = "user-environment.txt";
/// The list is read from files alone.
const LIST_DEADLINE: Duration = Duration::from_secs(60);

/// Purges the packages, and with them brings back upstream's installation as it was. Returns where a copy of what the
/// hub's state has become since is kept.
///
/// # Errors
/// Nothing is kept of upstream's; or dpkg could not do it, and a repetition goes on.
pub fn undo(paths: &Paths, runner: &dyn Runner, yes: bool) -> Result<Option<PathBuf>, AdoptError> {
    let aside = paths.upstream();
    if !aside.is_dir() {
        return Err(AdoptError::None);
    }
    refuse_own_server()?;
    agree(
        "Upstream's hub is going to be back as it was before: what people and settings have become since is not \
         in it, servers that run end, and the tljh packages are purged. Homes and accounts stay. Go on?",
        yes,
    )?;
    let kept = keep_state(paths, runner).unwrap_or_else(|error| {
        // No reason to stay where one cannot work.
        log::warn!("no copy is kept of what is there now: {error}");
        None
    });
    files::write_atomically(&undone(&aside), b"", 0o600)?;
    let there: Vec<&str> = PACKAGES
        .into_iter()
        .filter(|package| packages::is_there(runner, package))
        .collect();
    log::info!("purging {} ...", there.join(", "));
    let purge = Invocation::new("dpkg")
        .arg("--purge")
        .args(&there)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .deadline(DEADLINE);
    if let Err(error) = runner.run(&purge) {
        if packages::is_installed(runner, "tljh") {
            // Nothing was begun: a purge that somebody asks for later is to be an ordinary one.
            files::ensure_absent(&undone(&aside))?;
        }
        return Err(AdoptError::Packages(error));
    }
    Ok(kept)
}

/// Deletes all that is kept of upstream's.
///
/// # Errors
/// There is nothing, or the package is not configured yet; or something cannot be deleted, and a repetition goes on.
pub fn commit(paths: &Paths, yes: bool) -> Result<(), AdoptError> {
    let (aside, doomed) = (paths.upstream(), paths.upstream_committed());
    if aside.is_dir() {
        if !adopted(&aside).exists() {
            return Err(AdoptError::Unfinished);
        }
        agree(
            &format!(
                "There is no way back to upstream's installation afterwards: {} is deleted. Go on?",
                aside.display()
            ),
            yes,
        )?;
        // Half of it would be no way back.
        files::ensure_tree_absent(&doomed)?;
        files::rename(&aside, &doomed)?;
    } else if !doomed.is_dir() {
        return Err(AdoptError::None);
    }
    Ok(files::ensure_tree_absent(&doomed)?)
}

/// A backup of what is going to be purged, out of its reach, and a list of what was installed meanwhile.
fn keep_state(paths: &Paths, runner: &dyn Runner) -> Result<Option<PathBuf>, AdoptError> {
    if !restore::has_state(paths) {
        return Ok(None);
    }
    let package = packages::version(runner);
    let backup = Backups::open(paths)?.create(runner, &package, Reason::Requested)?;
    let kept = paths.root().join(KEPT);
    files::ensure_folder(kept.parent().unwrap_or(Path::new("/")), 0o755)?;
    copy(&backup.folder, &kept)?;
    let export = Invocation::new("tljh-user-env")
        .arg("export")
        .deadline(LIST_DEADLINE);
    match runner.run(&export) {
        Ok(told) => {
            files::write_atomically(&kept.join(PACKAGE_LIST), told.stdout.as_bytes(), 0o600)?;
        }
        Err(error) => log::warn!("the packages of the user environment are not listed: {error}"),
    }
    Ok(Some(kept))
}

/// People's servers end with the packages, and with them what is typed in their terminals.
fn refuse_own_server() -> Result<(), AdoptError> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if groups.contains("tljh-users.slice") || groups.contains("/jupyter-") {
        return Err(AdoptError::OwnServer);
    }
    Ok(())
}

fn agree(question: &str, yes: bool) -> Result<(), AdoptError> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(AdoptError::NobodyToAsk);
    }
    match ask(&format!("{question} [y/N] "), "yn", Some('n')).map_err(AdoptError::Input)? {
        Some('y') => Ok(()),
        _ => Err(AdoptError::NotAgreed),
    }
}
