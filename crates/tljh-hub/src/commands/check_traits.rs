//! `tljh-hub check-traits`: the hub's own Python loads a configuration, without starting anything.

use std::io::Read as _;
use std::time::Duration;

use tljh_machine::{Invocation, Paths, Runner, SystemRunner, files};
use tljh_settings::Settings;
use tljh_terminal::Secret;

use super::run::CONFIGURATION;
use crate::error::HubError;
use crate::traits::render_traits;

/// Importing every authenticator on a small, cold machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Reads a configuration from standard input and prints what Python says: a JSON list of objects with
/// `key` (dotted; empty where there is none), `what` and `severity` (`error` or `warning`).
pub fn run(paths: &Paths) -> Result<(), HubError> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(HubError::Input)?;
    super::print(&ask(paths, &SystemRunner, &Settings::parse(&text)?)?)
}

/// What the hub's Python says of `settings` and of the administrator's snippets.
pub fn ask(paths: &Paths, runner: &dyn Runner, settings: &Settings) -> Result<String, HubError> {
    // What is checked is never used to reach the proxy.
    let rendered = render_traits(
        settings,
        paths,
        &paths.hub_snippets(),
        &Secret::new("unused"),
    );
    files::ensure_folder(&paths.state(), 0o700)?;
    let check = Invocation::new(paths.hub_python())
        .args(["-m", "tljh.check", CONFIGURATION])
        .env("TLJH_TRAITS", "/dev/stdin")
        .input(Secret::new(rendered.to_string()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .deadline(DEADLINE);
    Ok(runner.run(&check)?.stdout)
}
