//! Putting a backup back on a machine whose hub runs: the hub is stopped meanwhile, users' servers run on.
//!
//! What is under way is noted in `/var/lib/tljh/backups/.restoring` before the first file is changed and until the last one
//! is. Killed in between, a repetition or the next start of the hub does the rest: no hub ever starts on a half of each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tljh_machine::services::{HUB_UNIT, PROXY_UNIT};
use tljh_machine::systemd::UnitState;
use tljh_machine::{Paths, Runner, Systemd, files};

use crate::backup::{self, Backup, BackupError, Backups, Reason};
use crate::error::HubError;
use crate::migrations;

/// A restore that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UnderWay {
    /// The backup that is put back.
    number: u64,
    /// The backup of what was there.
    before: u64,
    /// Whether the hub ran.
    hub_ran: bool,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup that was put back.
    pub number: u64,
    /// The backup of what was there.
    pub before: u64,
    /// Whether the hub was started.
    pub hub_started: bool,
}

fn note(paths: &Paths) -> PathBuf {
    paths.backups().join(".restoring")
}

/// Whether there is anything that a backup would hold.
pub fn has_state(paths: &Paths) -> bool {
    paths.hub_database().exists() || paths.cookie_secret().exists()
}

/// Puts back the backup `number`, else the one that a killed restore began with, else the newest. The hub is started
/// again if it ran, unless it is to `keep_stopped`.
///
/// # Errors
/// The backup cannot be used, and nothing was changed; or something could not be written, and a repetition goes on.
pub fn restore(
    paths: &Paths,
    runner: &dyn Runner,
    package: &str,
    number: Option<u64>,
    keep_stopped: bool,
) -> Result<Restored, HubError> {
    let backups = Backups::open(paths)?;
    let begun = read_note(paths)?;
    let backup = match number.or(begun.as_ref().map(|begun| begun.number)) {
        Some(number) => backup::find(paths, number)?,
        None => backup::list(paths)?
            .into_iter()
            .next()
            .ok_or(BackupError::None)?,
    };
    refuse_unusable(&backup)?;
    backups.ensure_room(backup.manifest.size())?;
    let systemd = Systemd::new(runner);
    let booted = Systemd::is_booted(paths);
    let runs = booted && systemd.state(HUB_UNIT)? != UnitState::Inactive;
    if runs {
        log::info!("stopping the hub; users' servers keep running");
        systemd.stop(HUB_UNIT)?;
    }
    let begun = match begun {
        // What is there now is a half of each.
        Some(begun) => UnderWay {
            number: backup.number,
            ..begun
        },
        None => match begin(&backups, paths, runner, package, &backup, runs) {
            Ok(begun) => begun,
            Err(error) => {
                // Nothing was changed.
                if runs {
                    systemd.start(HUB_UNIT)?;
                }
                return Err(error);
            }
        },
    };
    write_note(paths, &begun)?;
    put_back(paths, &backup)?;
    // The hub's start waits for it.
    drop(backups);
    let start = booted && begun.hub_ran && !keep_stopped;
    if start {
        log::info!("starting the hub ...");
        systemd.reset_failed(HUB_UNIT)?;
        systemd.start(HUB_UNIT)?;
        systemd.begin_renewal(PROXY_UNIT)?;
    }
    Ok(Restored {
        number: backup.number,
        before: begun.before,
        hub_started: start,
    })
}

/// Does the rest of a restore that was killed; no hub may run.
///
/// # Errors
/// The backup cannot be used any more, or something cannot be written.
pub fn finish_interrupted(paths: &Paths) -> Result<(), HubError> {
    if !note(paths).exists() {
        return Ok(());
    }
    let _backups = Backups::open(paths)?;
    // Whoever had the lock may have done it.
    if let Some(begun) = read_note(paths)? {
        let backup = backup::find(paths, begun.number)?;
        refuse_unusable(&backup)?;
        put_back(paths, &backup)?;
        log::warn!(
            "putting back backup {} had been interrupted and is done now; backup {} is of before",
            begun.number,
            begun.before
        );
    }
    Ok(())
}

fn refuse_unusable(backup: &Backup) -> Result<(), BackupError> {
    migrations::admit(backup.manifest.state_version).map_err(|source| BackupError::Unsuitable {
        number: backup.number,
        package: backup.manifest.package.clone(),
        source,
    })?;
    backup.check()
}

/// Makes the backup of what is there now.
fn begin(
    backups: &Backups,
    paths: &Paths,
    runner: &dyn Runner,
    package: &str,
    backup: &Backup,
    hub_ran: bool,
) -> Result<UnderWay, HubError> {
    let reason = Reason::Restore { of: backup.number };
    let before = backups.create_keeping(runner, package, reason, Some(backup.number))?;
    let begun = UnderWay {
        number: backup.number,
        before: before.number,
        hub_ran,
    };
    write_note(paths, &begun)?;
    Ok(begun)
}

fn put_back(paths: &Paths, backup: &Backup) -> Result<(), HubError> {
    backup.put_back(paths)?;
    // A configuration that failed before gets all its chances again.
    files::ensure_absent(&paths.running())?;
    files::ensure_absent(&note(paths))?;
    Ok(())
}

fn read_note(paths: &Paths) -> Result<Option<UnderWay>, HubError> {
    let text = files::read_optional(&note(paths))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn write_note(paths: &Paths, begun: &UnderWay) -> Result<(), HubError> {
    let text = serde_json::json!(begun).to_string();
    files::write_atomically(&note(paths), text.as_bytes(), 0o600)?;
    Ok(())
}

#[cfg(test)]
mod tests;
