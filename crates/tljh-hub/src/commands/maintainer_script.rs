//! `tljh-hub maintainer-script`: what dpkg asks of the package `tljh`.
//!
//! Debian Policy, chapter 6: every call may come any number of times, after any interruption.

mod action;
mod first_admin;
mod services;

use std::io::Read;

use tljh_machine::{Invocation, Paths, Runner, SystemRunner, files};

use crate::cli::Script;
use crate::error::HubError;
use action::Action;
use first_admin::Answers;

/// Making the user environment takes seconds; a slow disk is no reason to fail.
const ENVIRONMENT_DEADLINE: std::time::Duration = std::time::Duration::from_secs(900);

/// Does what dpkg asks.
pub fn run(paths: &Paths, script: Script, arguments: &[String]) -> Result<(), HubError> {
    match Action::parse(script, arguments)? {
        Action::Configure { previous } => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(HubError::Input)?;
            configure(
                paths,
                &SystemRunner,
                &Answers::parse(&text, is_reconfigured()),
                previous.is_some(),
            )
        }
        Action::AbortRemove => {
            services::begin(paths, &SystemRunner, true)?;
            services::finish(paths, &SystemRunner);
            Ok(())
        }
        Action::Remove => services::ensure_removed(paths, &SystemRunner),
        Action::Nothing => Ok(()),
    }
}

/// Whether dpkg-reconfigure(8) runs the script.
fn is_reconfigured() -> bool {
    std::env::var("DEBCONF_RECONFIGURE").is_ok_and(|value| value == "1")
}

/// Brings the machine into the state of an installed tljh, whatever state it is in.
fn configure(
    paths: &Paths,
    runner: &dyn Runner,
    answers: &Answers,
    configured_before: bool,
) -> Result<(), HubError> {
    ensure_folders(paths)?;
    runner.run(&Invocation::new("systemd-sysusers").arg("tljh.conf"))?;
    first_admin::ensure(paths, runner, answers)?;
    let enable = !configured_before || paths.removal_marker().exists();
    // The hub needs the user environment at the first spawn only: both get ready side by side.
    services::begin(paths, runner, enable)?;
    log::info!("making the user environment (JupyterLab and its companions) ...");
    runner
        .run(
            &Invocation::new("tljh-user-env")
                .arg("ensure")
                .deadline(ENVIRONMENT_DEADLINE),
        )
        .map_err(HubError::UserEnvironment)?;
    services::finish(paths, runner);
    services::begin_compilation(paths, runner);
    Ok(())
}

fn ensure_folders(paths: &Paths) -> Result<(), HubError> {
    files::ensure_folder(&paths.configuration(), 0o700)?;
    files::ensure_folder(&paths.hub_snippets(), 0o700)?;
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_folder(&paths.account_registry(), 0o700)?;
    // The paths that TLJH's documentation names.
    files::ensure_link(&paths.prefix().join("config"), &paths.configuration())?;
    files::ensure_link(&paths.prefix().join("state"), &paths.state())?;
    files::ensure_secret(&paths.proxy_api_token())?;
    Ok(())
}
