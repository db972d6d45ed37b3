//! `install`, `remove`, `upgrade` and `apply`.

use serde_json::json;

use super::fallback::sentence;
use super::{print_json, question, told};
use crate::change::Wish;
use crate::cli::Manner;
use crate::error::UserEnvError;
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
        told::plan(&plan.steps, workshop.generations.name(), usize::MAX);
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
        None => told::active(outcome.record.number),
    }
    if manner.form.json {
        print_json(&json!({"generation": outcome.record.number, "changes": outcome.changes}))?;
    }
    Ok(())
}
