//! `take-over`: a line of JSON for `tljh-hub adopt`.

use std::path::Path;

use serde_json::json;
use tljh_terminal::render_error;

use super::print_json;
use crate::error::UserEnvError;
use crate::workshop::Workshop;

/// Takes upstream's environment over, and tells what became of it: `null` where there was nothing to do.
pub fn run(workshop: &Workshop<'_>, kept: &Path) -> Result<(), UserEnvError> {
    let Some(done) = workshop.take_over(kept)? else {
        return print_json(&serde_json::Value::Null);
    };
    print_json(&json!({
        "generation": done.record.number,
        "engine": done.record.engine,
        "python": done.record.python,
        "packages": done.record.packages.len(),
        "refused": done.reason.map(|reason| render_error(&reason, None)),
        "missing": done.missing,
        "other_hub": done.other_hub,
    }))
}
