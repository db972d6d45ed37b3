//! All that is found about a configuration's text, each thing at its place.

use std::io::IsTerminal;

use tljh_settings::{Diagnostic, Inspection, Severity, render_diagnostics};

use super::deep::Finding;
use crate::certificates::check_certificates;
use crate::error::Error;

/// Looks at a text, and at the certificate that it names.
pub fn inspect(text: &str) -> Inspection {
    let mut inspection = Inspection::of(text);
    if let Some(settings) = inspection.settings.clone() {
        for problem in check_certificates(&settings) {
            inspection.add(problem.severity, problem.key, &problem.what, problem.hint);
        }
    }
    inspection
}

/// Adds what the hub's Python says.
pub fn add_findings(inspection: &mut Inspection, findings: Vec<Finding>) {
    for Finding { problem, severity } in findings {
        inspection.add(severity, &problem.key, &problem.what, None);
    }
}

/// How many of them are errors.
pub fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count()
}

/// The error that shows each error of the file `name`; none where there is none.
pub fn refuse_errors(name: &str, inspection: &Inspection) -> Result<(), Error> {
    let wrong: Vec<Diagnostic> = inspection
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .cloned()
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid {
        name: name.to_string(),
        errors: wrong.len(),
        shown: format!(
            "\n{}",
            render_diagnostics(name, &wrong, colour(&std::io::stderr())).trim_end()
        ),
    })
}

/// Whether to colour what goes to `stream`: <https://no-color.org>
pub fn colour(stream: &impl IsTerminal) -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb") && stream.is_terminal()
}
