//! `history`, `diff`, `rollback` and `prune`.

use std::fmt::Write as _;

use serde_json::json;
use tljh_machine::files;

use super::{print, print_json, told};

use crate::error::UserEnvError;
use crate::generations::Active;
use crate::in_use::generations_in_use;
use crate::manifest::{Difference, differences, read_manifest};
use crate::progress::Progress;
use crate::record::Record;
use crate::upgrade::python::starts;
use crate::verify::verify;
use crate::workshop::{CACHE, Workshop};

/// Prints a line for each generation, newest first.
pub fn history(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let active = workshop.generations.active()?;
    let records = workshop.generations.all()?;
    let mut text = String::new();
    for record in records.iter().rev() {
        let is_active = active == Active::Generation(record.number);
        let parent = records.iter().find(|one| Some(one.number) == record.parent);
        let changes = parent.map(|parent| differences(&parent.packages, &record.packages));
        if as_json {
            let line = json!({
                "number": record.number, "active": is_active, "made": record.made, "by": record.by,
                "command": record.command, "engine": record.engine, "python": record.python,
                "parent": record.parent, "requested": record.requested,
                "packages": record.packages.len(), "changes": changes,
            });
            let _ = writeln!(text, "{line}");
            continue;
        }
        let marker = if is_active { '*' } else { ' ' };
        let changed = changes.map_or_else(
            || format!("{} packages", record.packages.len()),
            |changes| summary(&changes),
        );
        let _ = writeln!(
            text,
            "{marker}{:>4}  {}  {}: {} ({changed})",
            record.number,
            record.made_locally(),
            record.by,
            record.command
        );
    }
    print(&text)
}

/// The first changes by name.
fn summary(changes: &[Difference]) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<String> = changes
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if changes.len() > SHOWN {
        names.push(format!("{} more", changes.len() - SHOWN));
    }
    if names.is_empty() {
        "no difference".into()
    } else {
        names.join(", ")
    }
}

/// Prints what leads from one generation to another, as they are on disk.
pub fn diff(
    workshop: &Workshop<'_>,
    from: Option<u64>,
    to: Option<u64>,
    as_json: bool,
) -> Result<(), UserEnvError> {
    let to = match to {
        Some(number) => workshop.generations.wanted(number)?,
        None => workshop.generations.active_record()?,
    };
    let from = match from {
        Some(number) => workshop.generations.wanted(number)?,
        None => before(workshop, &to)?,
    };
    let packages = |record: &Record| read_manifest(&workshop.generations.folder(record.number));
    let changes = differences(&packages(&from)?, &packages(&to)?);
    if as_json {
        return print_json(&json!({
            "from": from.number, "to": to.number, "changes": changes,
        }));
    }
    let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
    print(&lines)
}

/// The generation that `record` was made from, else the newest before it.
fn before(workshop: &Workshop<'_>, record: &Record) -> Result<Record, UserEnvError> {
    let mut earlier = workshop.generations.all()?;
    earlier.retain(|one| one.number < record.number);
    let parent = earlier
        .iter()
        .position(|one| Some(one.number) == record.parent);
    let found = parent.map(|at| earlier.swap_remove(at));
    found
        .or_else(|| earlier.pop())
        .ok_or(UserEnvError::NothingEarlier)
}

/// Switches to a generation; one that was changed by hand since it was tried out is tried out again.
pub fn rollback(
    workshop: &Workshop<'_>,
    number: Option<u64>,
    as_json: bool,
) -> Result<(), UserEnvError> {
    let _turn = workshop.begin()?;
    let generations = &workshop.generations;
    let target = match number {
        Some(number) => generations.wanted(number)?,
        None => before(workshop, &generations.active_record()?)?,
    };
    let number = target.number;
    if generations.active()? == Active::Generation(number) {
        log::info!("generation {number} is active already");
    } else {
        let folder = generations.folder(number);
        let now = read_manifest(&folder)?;
        if !differences(&target.packages, &now).is_empty() || !starts(&folder) {
            let _step = Progress::begin(&format!(
                "generation {number} was changed by hand; trying it out"
            ));
            verify(&folder, &now)?;
        }
        generations.switch(number)?;
        told::active_again(number);
        workshop.settle(number);
    }
    if as_json {
        print_json(&json!({"generation": number}))?;
    }
    Ok(())
}

/// Removes all but the newest generations, and what uv kept.
pub fn prune(
    workshop: &Workshop<'_>,
    keep: usize,
    dry_run: bool,
    as_json: bool,
) -> Result<(), UserEnvError> {
    let _turn = workshop.begin()?;
    let generations = &workshop.generations;
    let active = generations.active()?;
    let records = generations.all()?;
    let pristine = generations.pristine()?;
    let standing_in = generations.fallback()?.map(|fallback| fallback.generation);
    let in_use = generations_in_use(generations.root());
    let mut removed = Vec::new();
    for record in records.iter().rev().skip(keep) {
        let number = record.number;
        if active == Active::Generation(number) || pristine == Some(number) {
            continue;
        }
        if standing_in == Some(number) {
            log::info!("generation {number} stays: servers are started from it");
            continue;
        }
        if in_use.contains(&number) {
            log::info!("generation {number} stays: running servers or kernels use it");
            continue;
        }
        removed.push(number);
        if !dry_run {
            log::info!("removing generation {number} ...");
            generations.remove(number)?;
        }
    }
    if !dry_run {
        files::ensure_tree_absent(&generations.cache(CACHE))?;
    }
    if as_json {
        return print_json(&json!({"removed": removed}));
    }
    match (removed.is_empty(), dry_run) {
        (true, _) => log::info!("there is no generation to remove"),
        (false, true) => log::info!("would remove {}", list(&removed)),
        (false, false) => log::info!("removed {}", list(&removed)),
    }
    Ok(())
}

fn list(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("generation {}", numbers.join(", "))
}
