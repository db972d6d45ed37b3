//! What the hub's own Python says about a configuration.

use serde::Deserialize;
use tljh_machine::{CommandError, Invocation, Runner};
use tljh_settings::{Problem, Severity};
use tljh_terminal::Secret;

use crate::error::Error;

/// Python imports every authenticator; a cold, small machine takes its time.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(90);

/// Something that the hub cannot use, or perhaps cannot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// What it is; its key is empty where no key is concerned.
    #[serde(flatten)]
    pub problem: Problem,
    /// How bad it is.
    pub severity: Severity,
}

/// Has the hub's Python load the configuration `text`, and starts nothing.
///
/// # Errors
/// tljh-hub is not installed, or failed.
pub fn findings(runner: &dyn Runner, text: &str) -> Result<Vec<Finding>, Error> {
    let ask = Invocation::new("tljh-hub")
        .arg("check-traits")
        .input(Secret::new(text))
        .deadline(DEADLINE);
    let answer = runner.run(&ask).map_err(Error::Deep)?;
    serde_json::from_str(&answer.stdout).map_err(|error| {
        Error::Deep(CommandError::Failed {
            line: ask.line(),
            code: Some(0),
            message: error.to_string(),
        })
    })
}
