//! `list` and `export`.

use std::fmt::Write as _;

use serde_json::json;

use super::{print, print_json};
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::export;
use crate::manifest::{differences, read_manifest};
use crate::workshop::Workshop;

/// Prints the packages of the active generation as they are on disk.
pub fn list(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let record = workshop.generations.active_record()?;
    let packages = read_manifest(&workshop.generations.folder(record.number))?;
    let by_hand = differences(&record.packages, &packages);
    if as_json {
        return print_json(&json!({
            "generation": record.number, "packages": packages, "by_hand": by_hand,
        }));
    }
    let mut text = String::new();
    for package in &packages {
        let source = package.source.as_deref().unwrap_or_default();
        let line = format!("{:<32} {:<16} {source}", package.name, package.version);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    print(&text)?;
    if !by_hand.is_empty() {
        log::info!(
            "changed by hand since generation {} was made:",
            record.number
        );
        for change in by_hand {
            log::info!("  {change}");
        }
    }
    Ok(())
}

/// Prints what `apply` makes the same environment of.
pub fn export(workshop: &Workshop<'_>, lock: bool) -> Result<(), UserEnvError> {
    let record = workshop.generations.active_record()?;
    let environment = workshop.generations.folder(record.number);
    print(&match (record.engine, lock) {
        (Engine::Venv, false) => export::requirements(&environment)?,
        (Engine::Venv, true) => workshop
            .uv()?
            .lock(&environment, &export::requirements(&environment)?)?,
        (Engine::Conda, false) => export::environment_yml(&environment)?,
        (Engine::Conda, true) => export::explicit(&environment)?,
    })
}
