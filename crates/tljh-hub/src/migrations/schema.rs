//! The schema of the hub's database. State 2 is the first in which JupyterHub does not migrate it while it starts.
//!
//! Its `upgrade_db` did so in place. On SQLite, alembic's steps are no transactions (it says "Will assume non-transactional
//! DDL"): a hub that was killed then found a column that it was about to add, at this start and each one after it. There was
//! no way back either, for no other package knew the new schema. Now JupyterHub's own `upgrade_db` stays for databases that
//! an administrator's snippet names, which are his to back up.
//!
//! Asking JupyterHub takes a second of the hub's start. `/var/lib/tljh/database-schema` notes what the database has, and is
//! compared with what is installed.

use std::fs;
use std::path::PathBuf;

use tljh_machine::files::FileError;
use tljh_machine::{Paths, Runner, durable, files};

use super::MigrationError;
use crate::database;

/// JupyterHub's name (of alembic) for the schema of state [`super::NEWEST`]. A JupyterHub with another one needs a new
/// version of the state, and a step to it, so that older packages refuse; a test of the packages compares.
pub const REVISION: &str = "f460b0348206";

/// Whether the database may have another schema than the hub that is installed.
pub fn is_pending(state: &Paths, machine: &Paths) -> bool {
    if !state.hub_database().exists() {
        return false;
    }
    let noted = files::read_optional(&state.database_schema())
        .ok()
        .flatten();
    match (noted, installed(machine)) {
        (Some(noted), Some(installed)) => noted.trim() != installed,
        _ => true,
    }
}

/// Migrates a copy of the database, and renames it where there was anything to do, after `before_change`.
pub fn migrate(
    state: &Paths,
    machine: &Paths,
    runner: &dyn Runner,
    before_change: &mut dyn FnMut() -> Result<(), MigrationError>,
) -> Result<(), MigrationError> {
    let path = state.hub_database();
    if !path.exists() {
        return Ok(());
    }
    let copy = path.with_file_name(".jupyterhub.sqlite.migrated");
    files::ensure_absent(&copy)?;
    // SQLite's copy has rolled back what a killed hub left beside the database, which must not meet the new one.
    let schema = installed(machine);
    let migrated = database::migrate(machine, runner, &path, &copy, schema.as_deref())
        .map_err(|source| MigrationError::Database {
            path: path.clone(),
            source,
        })
        .and_then(|migrated| {
            if migrated {
                before_change().map(|()| true)
            } else {
                Ok(false)
            }
        });
    match migrated {
        Ok(true) => durable::replace(&copy, &path)?,
        Ok(false) => files::ensure_absent(&copy)?,
        Err(error) => {
            files::ensure_absent(&copy)?;
            return Err(error);
        }
    }
    Ok(note(state, machine)?)
}

/// Notes the schema that the hub will give a database that it is about to make.
pub fn expect(paths: &Paths) -> Result<(), FileError> {
    if paths.hub_database().exists() {
        return Ok(());
    }
    note(paths, paths)
}

fn note(state: &Paths, machine: &Paths) -> Result<(), FileError> {
    let Some(installed) = installed(machine) else {
        return Ok(());
    };
    let text = format!("{installed}\n");
    files::write_atomically(&state.database_schema(), text.as_bytes(), 0o600)
}

/// The schema of the hub that is installed: of the migrations that JupyterHub brings, the one that none follows. `None` where
/// that cannot be told.
fn installed(machine: &Paths) -> Option<String> {
    let mut revisions = Vec::new();
    let mut followed = Vec::new();
    for script in scripts(machine)? {
        let text = files::read(&script).ok()?;
        for line in text.lines() {
            match line.split_once(" = ") {
                Some(("revision", value)) => revisions.push(unquoted(value)),
                Some(("down_revision", value)) => followed.push(unquoted(value)),
                _ => {}
            }
        }
    }
    revisions.retain(|revision| !followed.contains(revision));
    let first = revisions.pop();
    first.filter(|_| revisions.is_empty())
}

fn scripts(machine: &Paths) -> Option<Vec<PathBuf>> {
    let python = fs::read_dir(machine.hub_libraries())
        .ok()?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("python3"))?;
    let folder = python
        .path()
        .join("site-packages/jupyterhub/alembic/versions");
    let mut scripts = files::list_folder(&folder).ok()?;
    scripts.retain(|path| path.extension().is_some_and(|ending| ending == "py"));
    Some(scripts)
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches(['\'', '"']).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Installation;

    fn script(made: &Installation, name: &str, after: &str) {
        let folder = crate::testing::MIGRATIONS;
        let text = format!("revision = '{name}'\ndown_revision = {after}\nbranch_labels = None\n");
        made.write(&format!("{folder}/{name}_it_adds.py"), &text);
    }

    #[test]
    fn the_last_of_jupyterhubs_migrations_is_its_schema() {
        let made = Installation::new();
        assert_eq!(installed(&made.paths).unwrap(), "one");
        assert!(!is_pending(&made.paths, &made.paths));
        files::ensure_absent(&made.paths.database_schema()).unwrap();
        assert!(is_pending(&made.paths, &made.paths), "nothing is known");
        script(&made, "three", "\"two\"");
        script(&made, "two", "'one'");
        assert_eq!(installed(&made.paths).unwrap(), "three");
        made.write("var/lib/tljh/database-schema", "three\n");
        assert!(!is_pending(&made.paths, &made.paths));
        script(&made, "four", "'three'");
        assert!(is_pending(&made.paths, &made.paths));
        files::ensure_absent(&made.paths.database_schema()).unwrap();
        expect(&made.paths).unwrap();
        assert_eq!(made.read("var/lib/tljh/database-schema"), None);
        fs::remove_file(made.paths.hub_database()).unwrap();
        expect(&made.paths).unwrap();
        assert_eq!(made.read("var/lib/tljh/database-schema").unwrap(), "four\n");
        script(&made, "five", "'three'");
        assert_eq!(installed(&made.paths), None, "two that none follows");
    }
}
