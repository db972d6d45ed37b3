//! From the state of one version of the package to that of another.

use std::time::Duration;

use tljh_machine::services::HUB_UNIT;
use tljh_machine::systemd::UnitState;
use tljh_machine::{Paths, Runner, Systemd, wait_for};

use crate::backup::{Backups, Reason};
use crate::error::HubError;
use crate::{migrations, packages, restore};

/// For the hub to be stopped, the state to be migrated and its version to be written, on a small machine.
const MIGRATION_DEADLINE: Duration = Duration::from_secs(120);

/// Makes a backup where the version changes, and sees to it that the state can be migrated: on a copy while the old hub
/// runs, which it does on if that fails; for good where none runs.
pub fn prepare(paths: &Paths, runner: &dyn Runner, previous: Option<&str>) -> Result<(), HubError> {
    let migrates = migrations::is_pending(paths)?;
    let state = migrations::read_version(paths)?;
    let version = packages::version(runner);
    let previous = previous.filter(|previous| *previous != version);
    if restore::has_state(paths) && (migrates || previous.is_some()) {
        let package = previous.unwrap_or(&version);
        let to = version.clone();
        let backup = Backups::open(paths)
            .and_then(|backups| backups.create(runner, package, Reason::Upgrade { to }))
            .map_err(HubError::NoBackup)?;
        log::info!(
            "backup {} holds configuration and state of before: {}",
            backup.number,
            backup.folder.display()
        );
        if migrates && hub_runs(paths, runner)? {
            return Ok(migrations::rehearse(paths, runner, &backup)?);
        }
        if let Some(previous) = previous.filter(|old| packages::is_older(runner, &version, old)) {
            log::info!(
                "going back from {previous} to {version}: the state, version {state}, serves both and stays"
            );
        }
    }
    if migrates {
        migrations::ensure(paths, runner, previous.unwrap_or(&version))?;
    }
    Ok(())
}

/// Makes sure that the hub that was begun has migrated the state.
pub fn confirm(paths: &Paths, runner: &dyn Runner) -> Result<(), HubError> {
    let migrated = wait_for(MIGRATION_DEADLINE, || {
        let done = matches!(migrations::is_pending(paths), Ok(false));
        // A hub that nobody starts migrates when somebody does.
        (done || matches!(hub_runs(paths, runner), Ok(false))).then_some(())
    });
    migrated.ok_or(HubError::NotMigrated)
}

fn hub_runs(paths: &Paths, runner: &dyn Runner) -> Result<bool, HubError> {
    Ok(Systemd::is_booted(paths) && Systemd::new(runner).state(HUB_UNIT)? != UnitState::Inactive)
}
