//! `tljh-hub migrate`: between the old hub and the new one, when the state is in nobody's use.
//!
//! A process of its own, so that JupyterHub is loaded meanwhile, for people wait for both. JupyterHub's process is its parent
//! and waits for it before it opens the state (`tljh.start`). What a migration changes is therefore not the configuration.

use std::process::Command;

use tljh_machine::running::Running;
use tljh_machine::{Paths, SystemRunner};

use crate::error::HubError;
use crate::{migrations, packages};

/// Whether the hub may not start on the state as it is.
pub fn is_called_for(paths: &Paths) -> Result<bool, HubError> {
    let failed_before = Running::read(paths)?.is_some_and(|running| running.failures > 0);
    Ok(failed_before || migrations::is_pending(paths)?)
}

/// Starts it, as a child of this process and of what this process becomes, which waits for it.
pub fn begin() -> Result<u32, HubError> {
    // Also where dpkg has put another program in the place of this one.
    Command::new("/proc/self/exe")
        .arg("migrate")
        .spawn()
        .map(|child| child.id())
        .map_err(|source| HubError::NoMigration { source })
}

/// Migrates the state.
pub fn run(paths: &Paths) -> Result<(), HubError> {
    let package = packages::version(&SystemRunner);
    migrations::ensure(paths, &SystemRunner, &package).map_err(|error| {
        forgive(paths);
        HubError::Unmigrated(error)
    })
}

/// A start that fails for this is no failure of the configuration.
fn forgive(paths: &Paths) {
    let forgiven = Running::read(paths).and_then(|told| {
        told.map_or(Ok(()), |running| {
            let failures = running.failures.saturating_sub(1);
            Running {
                failures,
                ..running
            }
            .write(paths)
        })
    });
    if let Err(error) = forgiven {
        log::warn!("{error}");
    }
}
