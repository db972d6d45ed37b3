//! Whether to go on.

use std::io::IsTerminal as _;

use tljh_terminal::ask;

use crate::error::UserEnvError;

/// Asks, with yes as the answer of an empty line. Where there is no terminal nobody can answer, and the command line is
/// the answer.
///
/// # Errors
/// The answer was not yes, or cannot be read.
pub fn agree(question: &str) -> Result<(), UserEnvError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(());
    }
    let question = format!("{question} [Y/n] ");
    match ask(&question, "yn", Some('y')).map_err(UserEnvError::Input)? {
        Some('y') => Ok(()),
        _ => Err(UserEnvError::NotAgreed),
    }
}
