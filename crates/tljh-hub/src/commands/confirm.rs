//! `tljh-hub confirm`: waits until the hub that was just started answers, and remembers its configuration.

use std::path::PathBuf;
use std::time::Duration;

use tljh_machine::history::History;
use tljh_machine::running::{Running, fingerprint};
use tljh_machine::services::HUB_PORT;
use tljh_machine::snippets::Snippets;
use tljh_machine::{Paths, files, http, wait_for};
use tljh_settings::Settings;

use crate::error::HubError;
use crate::held;

/// A cold hub on a small machine, below systemd's own limit for a start (90 s).
const DEADLINE: Duration = Duration::from_secs(75);

/// Waits while the process `hub` lives. A configuration taken in the place of the file's is not recorded.
pub fn run(paths: &Paths, hub: u32) -> Result<(), HubError> {
    let process = PathBuf::from(format!("/proc/{hub}"));
    let answered = wait_for(DEADLINE, || {
        if !process.exists() {
            return Some(false);
        }
        answers(paths).then_some(true)
    });
    if answered != Some(true) {
        return Err(HubError::NoAnswer);
    }
    // Kept until now, so that a start in the midst of an upgrade finds the files of one version.
    held::ensure_old_absent(paths)?;
    let Some(running) = Running::read(paths)? else {
        return Ok(());
    };
    let confirmed = Running {
        failures: 0,
        ..running
    };
    confirmed.write(paths)?;
    if confirmed.fallback.is_none() {
        History::new(paths).record(&files::read(&paths.running_configuration())?)?;
        keep_snippets(paths, &confirmed.snippets)?;
    }
    Ok(())
}

/// Keeps the snippets that the hub was started with, unless they have changed since.
fn keep_snippets(paths: &Paths, started_with: &str) -> Result<(), HubError> {
    let snippets = Snippets::read(&paths.hub_snippets())?;
    if snippets.fingerprint() == started_with {
        snippets.keep(paths)?;
    }
    Ok(())
}

/// Whether the hub answers below the base URL that it was started with. Both files are written before
/// JupyterHub starts, one after the other.
fn answers(paths: &Paths) -> bool {
    let Ok(text) = files::read(&paths.running_configuration()) else {
        return false;
    };
    let told = Running::read(paths).ok().flatten();
    let same = told.is_some_and(|running| running.fingerprint == fingerprint(&text));
    let Some(settings) = Settings::parse(&text).ok().filter(|_| same) else {
        return false;
    };
    http::status("", HUB_PORT, &format!("{}hub/api", settings.base_url)) == Some(200)
}
