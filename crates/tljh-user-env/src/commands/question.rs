//! Whether to go on.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::error::UserEnvError;

/// Asks on standard error, with yes as the answer of an empty line. Where there is no terminal nobody can answer, and
/// the command line is the answer.
///
/// # Errors
/// The answer was not yes, or cannot be read.
pub fn agree(question: &str) -> Result<(), UserEnvError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(());
    }
    let mut terminal = std::io::stderr().lock();
    let _ = write!(terminal, "{question} [Y/n] ").and_then(|()| terminal.flush());
    let mut line = String::new();
    let length = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(UserEnvError::Input)?;
    let answer = line.trim().to_ascii_lowercase();
    if length > 0 && matches!(answer.as_str(), "" | "y" | "yes") {
        return Ok(());
    }
    Err(UserEnvError::NotAgreed)
}
