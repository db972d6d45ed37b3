//! Versions of the state, and the chain of migrations that leads from each to the next.
//!
//! `/var/lib/tljh/state-version` holds one whole number. It grows whenever an older version of the package could not work
//! with the state any more: each time when JupyterHub's database has a new schema, and when we change a file of ours so. preinst
//! of every package compares it with [`OLDEST`] and [`NEWEST`] of the version that is to be unpacked, and refuses before
//! anything is changed.
//!
//! A step may be repeated, and killed at any point: it works on copies and renames them. It runs when no hub does:
//! beside `tljh-hub run`, between the old hub and the new one, or in postinst where none runs. Before the old hub is stopped,
//! postinst tries the whole chain on a copy ([`rehearse`]): what fails, fails there, and the old hub runs on. Should a step
//! fail all the same, the backup that was made before it is put back ([`ensure`]).

mod schema;

use std::path::PathBuf;

use tljh_machine::files::FileError;
use tljh_machine::{CommandError, Paths, Runner, files};
use tljh_terminal::{Hinted, render_error};

use crate::backup::{Backup, BackupError, Backups, Reason};
use crate::{packages, restore};

/// The oldest version of the state that this version of the package can migrate.
pub const OLDEST: u32 = 1;
/// The version of the state that this version of the package works with.
pub const NEWEST: u32 = 2;
/// The first version of the package that knows state [`OLDEST`]: what an older state has to pass through.
pub const PASS_THROUGH: &str = "0.1.0";
/// Of a state that has no number: that of the package before versions were counted.
const UNNUMBERED: u32 = 1;

pub use schema::{REVISION, expect};

/// From one version of the state to the next.
struct Step {
    /// The version that it leads to.
    to: u32,
    /// What it changes, for messages.
    what: &'static str,
    /// Changes the state below the first paths with the programs of the second.
    apply: fn(&Paths, &Paths, &dyn Runner) -> Result<(), MigrationError>,
}

/// All steps, in order, without a gap from [`OLDEST`] to [`NEWEST`].
const STEPS: [Step; 1] = [Step {
    to: 2,
    what: "the hub's database",
    apply: |state, machine, runner| schema::migrate(state, machine, runner, &mut || Ok(())),
}];

/// The version of the state cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds no number.
    #[error("`{}` holds no whole number", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the package has migrated it.
    #[error("the state has version {version}, and this version of tljh knows {OLDEST} to {NEWEST}")]
    TooNew {
        /// Its version.
        version: u32,
    },
    /// No migration begins there any more.
    #[error("the state has version {version}, and this version of tljh knows {OLDEST} to {NEWEST}")]
    TooOld {
        /// Its version.
        version: u32,
    },
}

impl Hinted for StateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Unreadable { .. } => {
                Some("put back the newest backup: run `sudo tljh-hub backup restore`".into())
            }
            Self::TooNew { .. } => Some(
                "a backup of an earlier state can be put back: run `sudo tljh-hub backup list`"
                    .into(),
            ),
            Self::TooOld { .. } => Some(format!(
                "pass through version {PASS_THROUGH}: run `sudo apt install {}`",
                packages::all_of(&format!("{PASS_THROUGH}*"))
            )),
        }
    }
}

/// The state could not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Its version.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The backup before it.
    #[error("the backup before a migration could not be made or put back")]
    Backup(#[from] Box<BackupError>),
    /// The hub's database.
    #[error("the hub's database `{}` could not be brought to the schema of the new JupyterHub", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What JupyterHub said.
        #[source]
        source: CommandError,
    },
    /// A step, after which the state is as it was.
    #[error("the state could not be migrated to version {to} ({what}); it is as it was")]
    Step {
        /// The version that it leads to.
        to: u32,
        /// What it changes.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<MigrationError>,
    },
}

impl Hinted for MigrationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Backup(error) => error.hint(),
            Self::Step { source, .. } => source.hint(),
            Self::Database { .. } => None,
        }
    }
}

/// The version of the state.
///
/// # Errors
/// The file cannot be read, or holds no number.
pub fn read_version(paths: &Paths) -> Result<u32, StateError> {
    let path = paths.state_version();
    let Some(text) = files::read_optional(&path)? else {
        return Ok(UNNUMBERED);
    };
    text.trim()
        .parse()
        .map_err(|_| StateError::Unreadable { path })
}

/// Writes the version of the state.
///
/// # Errors
/// The file cannot be written.
pub fn write_version(paths: &Paths, version: u32) -> Result<(), StateError> {
    let text = format!("{version}\n");
    Ok(files::write_atomically(
        &paths.state_version(),
        text.as_bytes(),
        0o600,
    )?)
}

/// Whether this version of the package can work with a state of `version`.
///
/// # Errors
/// It cannot.
pub fn admit(version: u32) -> Result<u32, StateError> {
    match version {
        version if version > NEWEST => Err(StateError::TooNew { version }),
        version if version < OLDEST => Err(StateError::TooOld { version }),
        version => Ok(version),
    }
}

/// Whether there is anything to migrate, as far as that can be told at once.
///
/// # Errors
/// This version of the package cannot work with the state.
pub fn is_pending(paths: &Paths) -> Result<bool, StateError> {
    Ok(admit(read_version(paths)?)? < NEWEST || schema::is_pending(paths, paths))
}

/// Migrates a copy of the state that is in `backup`, to see whether it can be done; a running hub is not concerned.
///
/// # Errors
/// The first step that fails; nothing was changed.
pub fn rehearse(paths: &Paths, runner: &dyn Runner, backup: &Backup) -> Result<(), MigrationError> {
    let room = paths.backups().join(".rehearsal");
    files::ensure_tree_absent(&room)?;
    let copy = Paths::under(&room);
    let done = files::ensure_folder(&room, 0o700)
        .map_err(MigrationError::from)
        .and_then(|()| {
            backup
                .put_back(&copy)
                .map_err(|error| Box::new(error).into())
        })
        .and_then(|()| apply_steps(&copy, paths, runner, &STEPS))
        .and_then(|()| match schema::is_pending(&copy, paths) {
            true => schema::migrate(&copy, paths, runner, &mut || Ok(())),
            false => Ok(()),
        });
    files::ensure_tree_absent(&room)?;
    done
}

/// Brings the state to [`NEWEST`] and the hub's database to the schema of the hub that is installed, after a backup; no hub
/// may run.
///
/// A database of the newest state whose schema cannot be changed is only told of: JupyterHub looks at its schema itself,
/// and may have been told to use another database.
///
/// # Errors
/// A step failed; the state is as it was.
pub fn ensure(paths: &Paths, runner: &dyn Runner, package: &str) -> Result<(), MigrationError> {
    ensure_steps(paths, runner, package, &STEPS)
}

fn ensure_steps(
    paths: &Paths,
    runner: &dyn Runner,
    package: &str,
    steps: &[Step],
) -> Result<(), MigrationError> {
    admit(read_version(paths)?)?;
    if !restore::has_state(paths) {
        return Ok(write_version(paths, NEWEST)?);
    }
    let backups = Backups::open(paths).map_err(Box::new)?;
    let back_up = || {
        let reason = Reason::Migration { to: NEWEST };
        backups.create(runner, package, reason).map_err(Box::new)
    };
    // Whoever had the lock may have done it.
    let version = read_version(paths)?;
    if version == NEWEST {
        let migrated = schema::migrate(paths, paths, runner, &mut || {
            let made = back_up()?;
            log::info!(
                "the hub's database is migrated; backup {} is of before",
                made.number
            );
            Ok(())
        });
        if let Err(error) = migrated {
            log::warn!(
                "{}",
                render_error(&error, error.hint().as_deref()).trim_end()
            );
        }
        return Ok(());
    }
    let backup = back_up()?;
    let Err(error) = apply_steps(paths, paths, runner, steps) else {
        log::info!(
            "the state was migrated from version {version} to {NEWEST}; backup {} is of before",
            backup.number
        );
        return Ok(());
    };
    backup.put_back(paths).map_err(Box::new)?;
    // It is what is there now, and a hub that is started again and again would push out all others.
    backups.remove(backup.number).map_err(Box::new)?;
    Err(error)
}

/// Applies all steps that lead further than the version of `state`.
fn apply_steps(
    state: &Paths,
    machine: &Paths,
    runner: &dyn Runner,
    steps: &[Step],
) -> Result<(), MigrationError> {
    let version = read_version(state)?;
    for step in steps.iter().filter(|step| step.to > version) {
        (step.apply)(state, machine, runner).map_err(|error| MigrationError::Step {
            to: step.to,
            what: step.what,
            source: Box::new(error),
        })?;
        write_version(state, step.to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
