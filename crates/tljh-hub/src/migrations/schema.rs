//! To state 2: the schema of the hub's database has a number with us, and JupyterHub no longer migrates it while it starts.
//!
//! Its `upgrade_db` did so in place. On SQLite, alembic's steps are no transactions (it says "Will assume non-transactional
//! DDL"): a hub that was killed then found a column that it was about to add, at this start and each one after it. There was
//! no way back either, for no other package knew the new schema. Now JupyterHub's own `upgrade_db` stays for databases that
//! an administrator's snippet names, which are his to back up.

use tljh_machine::{Paths, Runner, durable, files};

use super::MigrationError;
use crate::database;

/// JupyterHub's name (of alembic) for the schema of state [`super::NEWEST`]. A JupyterHub with another one needs a new
/// version of the state, and a step to it; a test of the packages compares.
pub const REVISION: &str = "f460b0348206";

/// Migrates a copy of the database and renames it.
pub fn migrate(state: &Paths, machine: &Paths, runner: &dyn Runner) -> Result<(), MigrationError> {
    let path = state.hub_database();
    if !path.exists() {
        return Ok(());
    }
    let copy = path.with_file_name(".jupyterhub.sqlite.migrated");
    files::ensure_absent(&copy)?;
    // SQLite's copy has rolled back what a killed hub left beside the database, which must not meet the new one.
    let migrated = database::copy(machine, runner, &path, &copy)
        .and_then(|()| database::migrate(machine, runner, &copy));
    match migrated {
        Ok(true) => Ok(durable::replace(&copy, &path)?),
        Ok(false) => Ok(files::ensure_absent(&copy)?),
        Err(source) => {
            files::ensure_absent(&copy)?;
            Err(MigrationError::Database { path, source })
        }
    }
}
