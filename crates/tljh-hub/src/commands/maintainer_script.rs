//! `tljh-hub maintainer-script`: what dpkg asks of the package `tljh`.
//!
//! Debian Policy, chapter 6: every call may come any number of times, after any interruption.

mod action;
mod first_admin;
mod services;
mod sysusers;
mod upgrading;

use std::io::Read;

use tljh_machine::{CommandError, Invocation, Paths, Runner, SystemRunner, files};

use crate::adopt::{AdoptError, Adoption};
use crate::cli::Script;
use crate::error::HubError;
use action::Action;
use first_admin::Answers;

/// Making the user environment takes seconds; a slow disk is no reason to fail.
const ENVIRONMENT_DEADLINE: std::time::Duration = std::time::Duration::from_secs(900);

/// No file takes that long to be written.
const LEFTOVERS_AGE: std::time::Duration = std::time::Duration::from_secs(3600);

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
                previous.as_deref(),
            )
            .map_err(|error| HubError::NotConfigured(Box::new(error)))
        }
        Action::AbortRemove => {
            services::begin(paths, &SystemRunner, true)
                .map_err(|error| HubError::NotConfigured(Box::new(error)))?;
            services::finish(paths, &SystemRunner, None);
            Ok(())
        }
        Action::Triggered => {
            services::begin_python_upgrade(paths, &SystemRunner);
            Ok(())
        }
        Action::Remove => services::ensure_removed(paths, &SystemRunner)
            .map_err(|error| HubError::NotRemoved(Box::new(error))),
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
    previous: Option<&str>,
) -> Result<(), HubError> {
    // Before our links come into its place.
    let mut adoption = Adoption::begin(paths, runner).map_err(unfinished)?;
    ensure_folders(paths)?;
    sysusers::ensure(paths, runner)?;
    if let Some(adoption) = &mut adoption {
        adoption.take_files().map_err(unfinished)?;
    }
    upgrading::prepare(paths, runner, previous)?;
    let enable = previous.is_none() || paths.removal_marker().exists();
    services::begin_proxy(paths, runner, enable)?;
    // Before the hub is there: whoever came first would choose a password that is missing.
    first_admin::ensure(paths, runner, answers)?;
    // The hub needs the user environment at the first spawn only: both get ready side by side. In an upgrade the new hub
    // meets the old environment for a while. It does so anyway in servers that run on, which JupyterHub provides for;
    // the other way round, a server of a later version than its hub, would be new.
    services::begin_hub(paths, runner, enable)?;
    // Where there is an environment, nobody waits for the next one, but all do for the hub.
    let hub_first = previous.is_some() && paths.user_environment().exists();
    if hub_first {
        services::finish(paths, runner, previous);
    }
    if let Some(adoption) = &mut adoption {
        adoption.take_environment().map_err(unfinished)?;
    }
    ensure_environment(paths, runner)?;
    services::begin_python_upgrade(paths, runner);
    if !hub_first {
        services::finish(paths, runner, previous);
    }
    services::begin_compilation(paths, runner);
    upgrading::confirm(paths, runner)?;
    match adoption {
        Some(adoption) => adoption.finish().map_err(unfinished),
        None => Ok(()),
    }
}

fn unfinished(error: AdoptError) -> HubError {
    HubError::Adoption(Box::new(error))
}

/// There is an environment, and it is brought to this version of the package where that can be.
fn ensure_environment(paths: &Paths, runner: &dyn Runner) -> Result<(), HubError> {
    let is_there = paths.user_environment().exists();
    if !is_there {
        log::info!("making the user environment (JupyterLab and its companions) ...");
    }
    // Whoever waits for the login page, or is at work, comes first.
    let ensure = Invocation::new("nice")
        .args(["tljh-user-env", "ensure"])
        .deadline(ENVIRONMENT_DEADLINE);
    match runner.run(&ensure) {
        // What was brought to this version, or why it was not.
        Ok(done) if !done.stderr.trim().is_empty() => log::info!("{}", done.stderr.trim()),
        Ok(_) => {}
        Err(error @ CommandError::Deadline { .. }) if is_there => log::warn!(
            "the user environment stays as it is: {error}\n\
             hint: run `sudo tljh-user-env upgrade --defaults`"
        ),
        Err(error) => return Err(HubError::UserEnvironment(error)),
    }
    Ok(())
}

fn ensure_folders(paths: &Paths) -> Result<(), HubError> {
    files::ensure_folder(&paths.configuration(), 0o700)?;
    files::ensure_folder(&paths.hub_snippets(), 0o700)?;
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_folder(&paths.account_registry(), 0o700)?;
    // What a writer left that was killed, this one in an earlier call or a tool of the administrator's.
    for folder in [paths.configuration(), paths.state()] {
        files::ensure_no_leftovers(&folder, LEFTOVERS_AGE)?;
    }
    // The paths that TLJH's documentation names.
    files::ensure_link(&paths.prefix().join("config"), &paths.configuration())?;
    files::ensure_link(&paths.prefix().join("state"), &paths.state())?;
    files::ensure_secret(&paths.proxy_api_token())?;
    Ok(())
}
