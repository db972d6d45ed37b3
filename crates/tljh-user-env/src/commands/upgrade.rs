//! `upgrade --defaults` and `upgrade-python`, and what a package configuration has of the first.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tljh_terminal::render_error;

use super::{print_json, question, told};
use crate::change::Wish;
use crate::cli::{Form, Manner};
use crate::error::UserEnvError;
use crate::manifest::Difference;
use crate::named::{EnvironmentName, Version};
use crate::record::{Record, names};
use crate::turn;
use crate::upgrade::python::PythonUpgrade;
use crate::workshop::Workshop;

const AGAIN: &str =
    "hint: run `sudo tljh-user-env upgrade-python` to try again, once the package index is reached";

/// Brings what came with the package to the versions that it brings now.
pub fn defaults(workshop: &Workshop<'_>, manner: Manner) -> Result<(), UserEnvError> {
    if let Some(version) = workshop.other_hub()? {
        return super::change::run(workshop, &Wish::Hub(version), manner);
    }
    let plan = workshop.plan_defaults(turn::DEADLINE)?;
    if plan.steps.is_empty() {
        log::info!("there is nothing to change");
    } else {
        told::plan(&plan.steps, None, usize::MAX);
    }
    for line in &plan.held {
        log::info!("  {line}");
    }
    if plan.steps.is_empty() || manner.dry_run {
        if manner.form.json {
            print_json(&json!({"generation": null, "changes": plan.steps, "held": plan.held}))?;
        }
        return if manner.dry_run {
            Ok(())
        } else {
            workshop.note_defaults(&plan)
        };
    }
    if !manner.yes {
        question::agree("Go on?")?;
    }
    let record = workshop.apply_defaults(&plan)?;
    told::active(record.number);
    if manner.form.json {
        print_json(
            &json!({"generation": record.number, "changes": plan.steps, "held": plan.held}),
        )?;
    }
    Ok(())
}

/// As [`defaults`] at a package configuration: says something only if something moves or goes wrong, and asks nothing.
pub fn follow_package(workshop: &Workshop<'_>) -> Result<(), UserEnvError> {
    // Most lines of a list are read by nobody who upgrades a whole system.
    const SHOWN: usize = 6;
    // Somebody installs something big; apt does not wait for long.
    const PATIENCE: Duration = Duration::from_secs(300);
    if let Some(version) = workshop.other_hub()? {
        let plan = workshop.plan(&Wish::Hub(version))?;
        told::plan(&plan.steps, None, SHOWN);
        told::active(workshop.apply(&plan)?.record.number);
        return Ok(());
    }
    if !workshop.has_other_defaults()? {
        return Ok(());
    }
    if workshop.was_taken_back()? {
        log::info!(
            "somebody went back to the active generation; `sudo tljh-user-env upgrade --defaults` brings JupyterHub \
             and the other packages that came with tljh to the versions of this package"
        );
        return Ok(());
    }
    let plan = workshop.plan_defaults(PATIENCE)?;
    if plan.steps.is_empty() {
        return workshop.note_defaults(&plan);
    }
    told::plan(&plan.steps, None, SHOWN);
    let record = workshop.apply_defaults(&plan)?;
    for line in &plan.held {
        log::info!("{line}");
    }
    told::active(record.number);
    Ok(())
}

/// Follows the system's Python.
pub fn python(
    workshop: &Workshop<'_>,
    if_changed: bool,
    dry_run: bool,
    form: Form,
) -> Result<(), UserEnvError> {
    let done = if if_changed {
        workshop.follow_python()?
    } else {
        workshop.upgrade_python(dry_run)?
    };
    let named = if dry_run {
        Vec::new()
    } else {
        workshop.follow_python_in_named(!if_changed)?
    };
    let (number, python, changes, missing) = match done {
        PythonUpgrade::Nothing if if_changed => (None, None, Vec::new(), BTreeMap::new()),
        PythonUpgrade::Nothing => {
            log::info!("the environment is for the system's Python; there is nothing to change");
            (None, None, Vec::new(), BTreeMap::new())
        }
        PythonUpgrade::StillMissing(missing) => {
            log::info!("nothing of what is missing can be had now");
            (None, None, Vec::new(), missing)
        }
        PythonUpgrade::Made { record, changes } => {
            let number = (!dry_run).then_some(record.number);
            (number, Some(record.python), changes, record.missing)
        }
    };
    let changes = differing(&changes);
    for change in &changes {
        log::info!("  {change}");
    }
    if let Some(number) = number {
        told::active(number);
    }
    if !missing.is_empty() {
        log::warn!(
            "missing since the system's Python changed: {}\n{AGAIN}",
            names(&missing)
        );
    }
    for (name, done) in &named {
        tell_named(name, done);
    }
    if form.json {
        let named: Vec<_> = named
            .iter()
            .filter_map(|(name, done)| Some((name, done.as_ref().ok()?)))
            .map(|(name, record)| json!({"name": name.as_str(), "missing": record.missing}))
            .collect();
        print_json(&json!({
            "generation": number, "python": python, "changes": changes, "missing": missing,
            "environments": named,
        }))?;
    }
    Ok(())
}

fn tell_named(name: &EnvironmentName, done: &Result<Record, UserEnvError>) {
    match done {
        Ok(record) if record.missing.is_empty() => {
            log::info!("environment `{name}` has Python {} now", record.python);
        }
        Ok(record) => log::warn!(
            "environment `{name}` has Python {} now, without {}\n{AGAIN}",
            record.python,
            names(&record.missing)
        ),
        Err(error) => {
            let again = Version::own().map_or(String::new(), |own| format!(" --python {own}"));
            let hint = match error {
                UserEnvError::Unreachable { .. } => AGAIN.to_string(),
                _ => format!(
                    "hint: run `sudo tljh-user-env create {name} --again{again}` to make it anew with newer packages"
                ),
            };
            log::warn!(
                "environment `{name}` stays as it is\n{}{hint}",
                render_error(error, None)
            );
        }
    }
}

/// Everything is installed anew for another Python; what counts are versions.
fn differing(changes: &[Difference]) -> Vec<&Difference> {
    let differs = |change: &&Difference| change.before != change.after;
    changes.iter().filter(differs).collect()
}
