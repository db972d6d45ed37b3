//! `tljh-config check [FILE]`.

use std::io::{ErrorKind, IsTerminal as _, Read as _};
use std::path::Path;

use tljh_settings::{Inspection, SettingsError, Severity, render_diagnostics};

use super::{Target, print};
use crate::certificates::check_certificates;
use crate::error::Error;

/// Says what is wrong with the file, each at its place.
pub fn run(target: &Target, file: Option<&Path>, json: bool) -> Result<(), Error> {
    let (name, text) = match file {
        Some(path) if path == Path::new("-") => ("standard input".to_string(), read_input()?),
        Some(path) => (path.display().to_string(), read(path)?),
        None => {
            let path = target.store()?.path();
            (path.display().to_string(), read(path)?)
        }
    };
    let mut inspection = Inspection::of(&text);
    if let Some(settings) = inspection.settings.clone() {
        for problem in check_certificates(&settings) {
            inspection.add(problem.severity, problem.key, &problem.what, problem.hint);
        }
    }
    let found = &inspection.diagnostics;
    if json {
        let list =
            serde_json::to_string_pretty(found).map_err(|error| Error::Print(error.into()))?;
        print(&format!("{list}\n"))?;
    } else {
        print(&render_diagnostics(&name, found, colour()))?;
    }
    let errors = found
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    if errors > 0 {
        return Err(Error::Invalid { name, errors });
    }
    match found.len() {
        _ if json => Ok(()),
        0 => print(&format!("`{name}` is valid\n")),
        warnings => print(&format!(
            "\n`{name}` is valid, with {}\n",
            counted(warnings, "warning")
        )),
    }
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A missing configuration is an empty one.
fn read(path: &Path) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(SettingsError::Read {
            path: path.to_path_buf(),
            source,
        }
        .into()),
        Ok(text) => Ok(text),
    }
}

fn read_input() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(Error::Input)?;
    Ok(text)
}

/// <https://no-color.org>
fn colour() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        && std::io::stdout().is_terminal()
}
