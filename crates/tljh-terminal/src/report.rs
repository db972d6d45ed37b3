//! Errors as people see them.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// An error that may know the one command that helps.
pub trait Hinted: Error {
    /// A sentence naming one command to run, without a final period; `None` where no command helps.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The text for `error`: one `error:` line, a `caused by:` line for each source, then the `hint:`.
///
/// Sources whose text the line above already ends with are left out.
pub fn render_error(error: &dyn Error, hint: Option<&str>) -> String {
    let mut text = format!("error: {error}\n");
    let mut shown = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !shown.ends_with(&cause_text) {
            let _ = writeln!(text, "caused by: {cause_text}");
        }
        shown = cause_text;
        source = cause.source();
    }
    if let Some(hint) = hint {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// Ends a program: exit code 0 for `Ok`, otherwise the error on standard error and exit code 1.
pub fn finish<E: Hinted>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = render_error(&error, error.hint().as_deref());
            // Standard error may be closed; the exit code still tells.
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read `/etc/tljh/config.yaml`")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn error_cause_and_hint_come_on_lines_of_their_own() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(
            render_error(&error, Some("run `tljh-config check`")),
            "error: could not read `/etc/tljh/config.yaml`\ncaused by: disk on fire\nhint: run `tljh-config check`\n"
        );
    }
}
