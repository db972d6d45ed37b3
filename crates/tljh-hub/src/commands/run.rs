//! `tljh-hub run`: from config.yaml to a running JupyterHub, in the same process.

use std::os::unix::process::CommandExt;
use std::process::Command;

use sd_notify::NotifyState;
use tljh_machine::{Paths, SystemRunner, files};
use tljh_terminal::{Hinted as _, render_error};

use crate::choice::{Choice, Refusal, choose};
use crate::cli::Run;
use crate::commands::migrate;
use crate::error::HubError;
use crate::held;
use crate::traits::render_traits;
use crate::{migrations, restore};

/// The hub's configuration file, which loads what is rendered here.
pub const CONFIGURATION: &str = "/usr/share/tljh/jupyterhub_config.py";

/// The name under which systemd keeps the hub's listening socket (`tljh.listening`).
const LISTENING: &str = "hub";
/// JupyterHub, as it ends and starts again beside people at work.
const MODULE: &str = "tljh.start";

/// Renders the hub's traits and becomes JupyterHub, which becomes this again if it cannot load a snippet.
pub fn run(paths: &Paths, arguments: Run) -> Result<(), HubError> {
    let refusal = arguments
        .refused
        .zip(arguments.reason)
        .map(|(file, reason)| Refusal { file, reason });
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_folder(&paths.runtime(), 0o700)?;
    // What the last hub left is this one's now; if it ends before it listens, nobody shall wait for it.
    if let Err(error) =
        sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(LISTENING)])
    {
        log::debug!("systemd does not listen: {error}");
    }
    if let Err(error) = held::ensure_held(paths, &SystemRunner) {
        log::warn!(
            "when its package is upgraded, the hub will see files of both versions until it is restarted\n{}",
            render_error(&error, error.hint().as_deref()).trim_end()
        );
    }
    // With the files that the hub will run from.
    restore::finish_interrupted(paths)?;
    migrations::expect(paths)?;
    let migrates = migrate::is_called_for(paths)?;
    let choice = choose(paths, refusal)?;
    tell(paths, &choice);
    let token = files::ensure_secret(&paths.proxy_api_token())?;
    let snippets = match &choice.kept_snippets {
        Some(kept) => kept.unfold(paths)?,
        None => paths.hub_snippets(),
    };
    let rendered = render_traits(&choice.settings, paths, &snippets, &token);
    files::write_atomically(&paths.hub_traits(), rendered.to_string().as_bytes(), 0o600)?;
    files::write_atomically(
        &paths.running_configuration(),
        choice.text.as_bytes(),
        0o600,
    )?;
    choice.running.write(paths)?;

    let python = paths.hub_python();
    let mut hub = Command::new(&python);
    hub.args(["-m", MODULE, "-f", CONFIGURATION])
        .env("TLJH_TRAITS", paths.hub_traits())
        .env("TLJH_RUNNING", paths.running())
        .current_dir(paths.state());
    if migrates {
        hub.env("TLJH_MIGRATION", migrate::begin()?.to_string());
    }
    Err(HubError::Exec {
        python,
        source: hub.exec(),
    })
}

fn tell(paths: &Paths, choice: &Choice) {
    let file = paths.config_yaml();
    for unknown in &choice.settings.unknown {
        log::warn!("{}: {unknown}", file.display());
    }
    if let Some(fallback) = &choice.running.fallback {
        log::error!(
            "`{}` is not used: {}\nstarting with configuration {} and the snippets of its time, the last that worked\n\
             hint: run `sudo tljh-config check --deep`",
            fallback.file.display(),
            fallback.reason,
            fallback.version
        );
    }
}
