//! The password database of the first-use authenticator, read and written by the hub's Python.

use std::path::Path;

use tljh_machine::{Invocation, Paths};

/// Whether there is one. A dbm database is one file or several.
pub fn is_there(database: &Path) -> bool {
    ["", ".db", ".dir", ".dat", ".pag"].iter().any(|ending| {
        let mut name = database.as_os_str().to_os_string();
        name.push(ending);
        Path::new(&name).exists()
    })
}

/// The program that works on it.
pub fn program(paths: &Paths) -> Invocation {
    Invocation::new(paths.hub_python())
        .args(["-m", "tljh.passwords"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
}
