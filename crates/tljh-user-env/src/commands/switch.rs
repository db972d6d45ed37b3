//! `switch`.

use serde_json::json;

use super::{print_json, question, told};
use crate::cli::Manner;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::workshop::Workshop;

/// Plans, shows, asks and does.
pub fn run(
    workshop: &Workshop<'_>,
    engine: Engine,
    python: Option<&str>,
    manner: Manner,
) -> Result<(), UserEnvError> {
    if engine == Engine::Venv && python.is_some() {
        return Err(UserEnvError::SystemsPython);
    }
    let Some(switch) = workshop.plan_switch(engine, python)? else {
        log::info!("the environment is on the engine {engine} already");
        if manner.form.json {
            print_json(&json!({"generation": null, "engine": engine, "changes": []}))?;
        }
        return Ok(());
    };
    log::info!("this moves the environment of everybody to the engine {engine}:");
    for step in &switch.steps {
        log::info!("  {step}");
    }
    if !switch.pips.is_empty() {
        let names: Vec<&str> = switch
            .pips
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        log::info!("by pip: {}", names.join(", "));
    }
    if !switch.left_out.is_empty() {
        log::warn!(
            "left out, since no index of Python packages has them: {}",
            switch.left_out.join(", ")
        );
    }
    let mut generation = None;
    if !manner.dry_run {
        if !manner.yes {
            question::agree("Go on?")?;
        }
        let record = workshop.switch(&switch)?;
        told::active_with_python(record.number, &record.python);
        generation = Some(record.number);
    }
    if manner.form.json {
        let pips: Vec<&str> = switch
            .pips
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        print_json(&json!({
            "generation": generation, "engine": switch.engine, "changes": switch.steps, "pip": pips,
            "left_out": switch.left_out,
        }))?;
    }
    Ok(())
}
