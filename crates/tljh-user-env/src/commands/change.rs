//! `install`, `remove`, `upgrade` and `apply`.

use serde_json::json;

use super::fallback::sentence;
use super::{print_json, question};
use crate::change::{Plan, Wish};
use crate::cli::Manner;
use crate::error::UserEnvError;
use crate::named::EnvironmentName;
use crate::progress::Progress;
use crate::workshop::Workshop;

/// Plans, shows, asks and does.
pub fn run(workshop: &Workshop<'_>, wish: &Wish, manner: Manner) -> Result<(), UserEnvError> {
    if let Some(fallback) = workshop.generations.fallback()? {
        log::warn!(
            "{}; `sudo tljh-user-env repair` should come first",
            sentence(&fallback)
        );
    }
    let step = Progress::unlogged("finding out what that means");
    let plan = workshop.plan(wish)?;
    drop(step);
    if plan.steps.is_empty() {
        log::info!("there is nothing to change");
    } else {
        show(&plan, workshop.generations.name());
    }
    if plan.steps.is_empty() || manner.dry_run {
        if !manner.dry_run {
            workshop.note_requested(&plan)?;
        }
        if manner.form.json {
            print_json(&json!({"generation": null, "changes": plan.steps}))?;
        }
        return Ok(());
    }
    if !manner.yes {
        question::agree("Go on?")?;
    }
    let outcome = workshop.apply(&plan)?;
    match workshop.generations.name() {
        Some(name) => {
            log::info!("`{name}` is changed; kernels that run keep what they started with")
        }
        None => log::info!(
            "generation {} is active; servers and kernels that run keep the one that they started with\n\
             (`sudo tljh-user-env rollback` goes back)",
            outcome.record.number
        ),
    }
    if manner.form.json {
        print_json(&json!({"generation": outcome.record.number, "changes": outcome.changes}))?;
    }
    Ok(())
}

fn show(plan: &Plan, name: Option<&EnvironmentName>) {
    match name {
        Some(name) => log::info!("this changes the environment `{name}`:"),
        None => log::info!("this changes the environment of everybody:"),
    }
    for step in &plan.steps {
        log::info!("  {step}");
    }
}
