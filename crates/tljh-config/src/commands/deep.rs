//! What the hub's own Python says about a configuration.

use serde::Deserialize;
use tljh_machine::{CommandError, Invocation, Runner};
use tljh_settings::Severity;
use tljh_terminal::Secret;

use crate::error::Error;

/// Python imports every authenticator; a cold, small machine takes its time.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(90);

/// Something that the hub cannot use, or perhaps cannot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// Dotted name; empty where no key is concerned.
    pub key: String,
    /// What is wrong, without the key.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.key.is_empty() {
            formatter.write_str(&self.what)
        } else {
            write!(formatter, "`{}` {}", self.key, self.what)
        }
    }
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
