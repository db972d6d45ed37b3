//! The hub's database, read and written by the hub's own Python.
//!
//! Not by a SQLite of ours: JupyterHub's SQLite wrote the file, and its migrations (alembic) are Python.

use std::path::Path;
use std::time::Duration;

use tljh_machine::{CommandError, Invocation, Paths, Runner};

/// A database of a large class on a slow disk.
const DEADLINE: Duration = Duration::from_secs(300);

fn database(machine: &Paths) -> Invocation {
    Invocation::new(machine.hub_python())
        .args(["-m", "tljh.database"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .deadline(DEADLINE)
}

/// Copies `source` as it is at one moment, also while a hub writes to it, to `target`, mode 0600.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn copy(
    machine: &Paths,
    runner: &dyn Runner,
    source: &Path,
    target: &Path,
) -> Result<(), CommandError> {
    let copy = database(machine).arg("copy").arg(source).arg(target);
    runner.run(&copy).map(drop)
}

/// The names of all hub users of `file`, whatever its schema.
///
/// # Errors
/// It cannot be read.
pub fn users(
    machine: &Paths,
    runner: &dyn Runner,
    file: &Path,
) -> Result<Vec<String>, CommandError> {
    let list = database(machine).arg("users").arg(file);
    let told = runner.run(&list)?.stdout;
    // Written by us, a moment ago.
    serde_json::from_str(&told).map_err(|error| CommandError::Failed {
        line: list.line(),
        code: None,
        message: error.to_string(),
    })
}

/// Copies `source`, as [`copy`] does, and brings the copy to the schema of the hub that is installed; whether there was
/// anything to do. That is known sooner where `schema` is JupyterHub's name for it. One program for both, since people
/// wait for it.
///
/// # Errors
/// `source` cannot be read or is damaged, or JupyterHub's migrations failed; `target` is then of no use.
pub fn migrate(
    machine: &Paths,
    runner: &dyn Runner,
    source: &Path,
    target: &Path,
    schema: Option<&str>,
) -> Result<bool, CommandError> {
    let migrate = database(machine)
        .arg("migrate")
        .arg(source)
        .arg(target)
        .args(schema);
    Ok(runner.run(&migrate)?.stdout.trim() == "migrated")
}
