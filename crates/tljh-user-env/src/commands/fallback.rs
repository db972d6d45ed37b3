//! `fallback`.

use serde_json::json;

use super::{print, print_json};
use crate::error::UserEnvError;
use crate::fallback::{Fallback, Verdict};
use crate::workshop::Workshop;

/// Prints which generation servers are started from. For the hub: the Python of that generation, and whether another
/// attempt with the active one is worth while.
pub fn run(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let generations = &workshop.generations;
    let verdict = workshop.fallback()?;
    if as_json {
        return print_json(&match &verdict {
            Verdict::Sound { mended } => json!({"generation": null, "mended": mended}),
            Verdict::Instead(fallback) => json!({
                "generation": fallback.generation, "broken": fallback.broken,
                "reason": fallback.reason, "since": fallback.since,
                "link": generations.link(), "folder": generations.folder(fallback.generation),
                "programs": generations.fallback_programs(),
            }),
        });
    }
    print(&match verdict {
        Verdict::Sound { .. } => "servers start from the active generation\n".into(),
        Verdict::Instead(fallback) => format!("{}\n", sentence(&fallback)),
    })
}

/// For administrators.
pub fn sentence(fallback: &Fallback) -> String {
    format!(
        "servers are started from generation {} since {}: {}",
        fallback.generation,
        fallback.since_locally(),
        fallback.reason
    )
}
