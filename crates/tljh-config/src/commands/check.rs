//! `tljh-config check [FILE]`.

use std::io::Read as _;
use std::path::Path;

use tljh_machine::running::Running;
use tljh_machine::{Paths, SystemRunner};
use tljh_settings::render_diagnostics;
use tljh_settings::store::Store;

use super::deep::findings;
use super::inspect::{add_findings, colour, errors, inspect};
use super::{Target, print};
use crate::error::Error;

/// Says what is wrong with the file, each at its place.
pub fn run(target: &Target, file: Option<&Path>, deep: bool, json: bool) -> Result<(), Error> {
    let (name, text) = match file {
        Some(path) if path == Path::new("-") => ("standard input".to_string(), read_input()?),
        Some(path) => named_text(&Store::new(path))?,
        None => named_text(target.store()?)?,
    };
    let mut inspection = inspect(&text);
    if deep && inspection.settings.is_some() {
        add_findings(&mut inspection, findings(&SystemRunner, &text)?);
    }
    if file.is_none() && !target.own_path {
        tell_fallback()?;
    }
    let found = &inspection.diagnostics;
    if json {
        let list =
            serde_json::to_string_pretty(found).map_err(|error| Error::Print(error.into()))?;
        print(&format!("{list}\n"))?;
    } else {
        print(&render_diagnostics(
            &name,
            found,
            colour(&std::io::stdout()),
        ))?;
    }
    let errors = errors(found);
    if errors > 0 {
        return Err(Error::Invalid {
            name,
            errors,
            shown: String::new(),
        });
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

/// Says if the hub runs on another configuration, or on other snippets, than those in place.
fn tell_fallback() -> Result<(), Error> {
    let running = Running::read(&Paths::default())?;
    if let Some(fallback) = running.and_then(|running| running.fallback) {
        log::warn!(
            "the hub runs on configuration {}, the last one that worked, since it could not use the file `{}`: {}",
            fallback.version,
            fallback.file.display(),
            fallback.reason
        );
    }
    Ok(())
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn named_text(store: &Store) -> Result<(String, String), Error> {
    Ok((store.path().display().to_string(), store.read_text()?))
}

fn read_input() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(Error::Input)?;
    Ok(text)
}
