//! The user environment, which tljh-user-env makes a generation of.

use std::time::Duration;

use serde::Deserialize;
use tljh_machine::{Invocation, Paths, Runner, files};

use super::error::AdoptError;

/// A large environment on a slow disk, and a throw-away server in it.
const DEADLINE: Duration = Duration::from_secs(1800);
/// What was asked for in the old environment and is not in the one of now, beside config.yaml.
const LIST: &str = "upstream-packages.txt";

/// The answer of `tljh-user-env take-over`.
#[derive(Debug, Deserialize)]
struct Answer {
    generation: u64,
    engine: String,
    python: String,
    packages: usize,
    refused: Option<String>,
    missing: Vec<String>,
    other_hub: Option<String>,
}

/// Has it taken over, and writes down what could not be.
pub fn take(paths: &Paths, runner: &dyn Runner) -> Result<Vec<String>, AdoptError> {
    log::info!("adopting: trying the user environment out ...");
    let invocation = Invocation::new("tljh-user-env")
        .arg("take-over")
        .arg(paths.upstream().join("user"))
        .deadline(DEADLINE);
    let told = runner.run(&invocation)?.stdout;
    let answer: Option<Answer> =
        serde_json::from_str(told.trim()).map_err(|source| AdoptError::Answer {
            program: "tljh-user-env",
            source,
        })?;
    let Some(answer) = answer else {
        return Ok(Vec::new());
    };
    let mut lines = match &answer.refused {
        None => vec![format!(
            "the user environment is generation {} ({}, Python {}, {} packages)",
            answer.generation, answer.engine, answer.python, answer.packages
        )],
        Some(reason) => vec![format!(
            "upstream's user environment cannot serve people as it is, so that a new one is active; the old one is kept\n{}",
            reason.trim_end()
        )],
    };
    if let Some(version) = answer.other_hub {
        lines.push(format!(
            "its JupyterHub is {version}: the package has not all that the hub's version needs on that Python"
        ));
    }
    if !answer.missing.is_empty() {
        let list = paths.configuration().join(LIST);
        let text = format!("{}\n", answer.missing.join("\n"));
        files::write_atomically(&list, text.as_bytes(), 0o600)?;
        lines.push(format!(
            "not in the user environment any more: {}\nhint: run `sudo tljh-user-env apply -f {}`",
            answer.missing.join(", "),
            list.display()
        ));
    }
    Ok(lines)
}
