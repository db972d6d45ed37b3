//! `create`, `delete` and `envs`.

use std::fmt::Write as _;

use serde_json::json;

use super::{print, print_json, question};
use crate::cli::{Manner, Which};
use crate::error::UserEnvError;
use crate::manifest::read_manifest;
use crate::named::{Asked, Environment, EnvironmentName, Environments};
use crate::record::names;
use crate::requirement::Requirement;
use crate::workshop::Workshop;

/// Makes a named environment, and tells where its kernel is.
pub fn create(workshop: &Workshop<'_>, asked: &Asked, as_json: bool) -> Result<(), UserEnvError> {
    let made = workshop.create(asked)?;
    log::info!(
        "everybody has the kernel `{}` now, of `{}` with Python {}\n\
         (`sudo tljh-user-env delete {}` takes it away)",
        made.title.as_str(),
        made.generations.link().display(),
        made.record.python,
        made.name
    );
    if as_json {
        print_json(&told(&made))?;
    }
    Ok(())
}

/// The named environments that `remove` is about: all of `names` are one each, and none is an installed package.
pub fn meant(
    workshop: &Workshop<'_>,
    which: &Which,
    names: &[Requirement],
) -> Result<Option<Vec<EnvironmentName>>, UserEnvError> {
    if which.environment.is_some() {
        return Ok(None);
    }
    let environments = Environments::new(workshop.paths);
    let mut meant = Vec::new();
    for name in names {
        let Ok(environment) = name.to_string().parse() else {
            return Ok(None);
        };
        if environments.find(&environment)?.is_none() {
            return Ok(None);
        }
        meant.push(environment);
    }
    let record = workshop.generations.active_record()?;
    let packages = read_manifest(&workshop.generations.folder(record.number))?;
    let is_package = |name: &Requirement| packages.iter().any(|one| one.name == name.name());
    Ok((!names.iter().any(is_package)).then_some(meant))
}

/// Takes named environments and their kernels away.
pub fn delete(
    workshop: &Workshop<'_>,
    names: &[EnvironmentName],
    manner: Manner,
) -> Result<(), UserEnvError> {
    let _turn = workshop.begin()?;
    let environments = Environments::new(workshop.paths);
    let mut doomed = Vec::new();
    for name in names {
        doomed.push(environments.wanted(name)?);
    }
    log::info!("this takes away from everybody:");
    for environment in &doomed {
        log::info!(
            "  - the environment `{}` and its kernel `{}`",
            environment.name,
            environment.title.as_str()
        );
    }
    let deleted: Vec<&str> = names.iter().map(EnvironmentName::as_str).collect();
    if !manner.dry_run {
        if !manner.yes {
            question::agree("Go on?")?;
        }
        for name in names {
            environments.take_away(name)?;
        }
        log::info!("done; kernels that run go on until they end");
    }
    if manner.form.json {
        let deleted = if manner.dry_run { Vec::new() } else { deleted };
        print_json(&json!({"deleted": deleted}))?;
    }
    Ok(())
}

/// Prints the named environments.
pub fn list(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let all = Environments::new(workshop.paths).all()?;
    if as_json {
        let all: Vec<_> = all.iter().map(told).collect();
        return print_json(&json!(all));
    }
    if all.is_empty() {
        log::info!("there are no named environments (`tljh-user-env create --help`)");
        return Ok(());
    }
    let mut text = format!(
        "{:<20} {:<9} {:<7} {:>9}  KERNEL\n",
        "NAME", "PYTHON", "ENGINE", "SIZE"
    );
    for one in &all {
        let size = format!("{} MB", one.size().div_ceil(1_000_000));
        let _ = writeln!(
            text,
            "{:<20} {:<9} {:<7} {size:>9}  {}",
            one.name.as_str(),
            one.record.python,
            one.record.engine.to_string(),
            one.title.as_str()
        );
    }
    print(&text)
}

/// Named environments whose Python does not start, with the reason.
pub fn problems(workshop: &Workshop<'_>) -> Result<Vec<(EnvironmentName, String)>, UserEnvError> {
    let all = Environments::new(workshop.paths).all()?;
    Ok(all
        .into_iter()
        .filter_map(|one| Some((one.problem(workshop.runner)?, one)))
        .map(|(problem, one)| (one.name, problem))
        .collect())
}

/// What is wrong with a named environment, and what helps.
pub fn advice(name: &EnvironmentName, problem: &str) -> String {
    format!(
        "environment `{name}`: its Python does not start: {problem}; \
         `sudo tljh-user-env create {name} --again` makes it anew"
    )
}

/// What named environments lack since the system's Python changed.
///
/// # Errors
/// The environments cannot be listed.
pub fn lacking(workshop: &Workshop<'_>) -> Result<Vec<(EnvironmentName, String)>, UserEnvError> {
    let mut all = Environments::new(workshop.paths).all()?;
    all.retain(|one| !one.record.missing.is_empty());
    Ok(all
        .into_iter()
        .map(|one| (one.name, names(&one.record.missing)))
        .collect())
}

fn told(one: &Environment) -> serde_json::Value {
    json!({
        "name": one.name.as_str(),
        "path": one.generations.link(),
        "display_name": one.title.as_str(),
        "python": one.record.python,
        "engine": one.record.engine,
        "packages": one.record.packages.len(),
        "missing": one.record.missing,
        "bytes": one.size(),
    })
}
