//! `status`.

use serde_json::json;

use super::{print, print_json};
use crate::environment::{State, state};
use crate::error::UserEnvError;
use crate::workshop::Workshop;

/// Prints what stands at the environment's path.
pub fn run(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let generations = &workshop.generations;
    let path = generations.link().display().to_string();
    let (state, record) = match state(generations)? {
        State::Complete(record) => ("complete", Some(record)),
        State::Interrupted => ("interrupted", None),
        State::Foreign => ("foreign", None),
        State::Absent => ("absent", None),
    };
    if as_json {
        return print_json(&json!({
            "path": path, "state": state,
            "python": record.as_ref().map(|record| &record.python),
            "generation": record.as_ref().map(|record| record.number),
        }));
    }
    let details = record.map_or(String::new(), |record| {
        format!(", generation {}, Python {}", record.number, record.python)
    });
    print(&format!("{path}: {state}{details}\n"))
}
