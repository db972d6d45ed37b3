//! `tljh-hub run`: from config.yaml to a running JupyterHub, in the same process.

use std::os::unix::process::CommandExt;
use std::process::Command;

use tljh_machine::{Paths, files};

use crate::choice::{Choice, choose};
use crate::error::HubError;
use crate::traits::render_traits;

/// The hub's configuration file, which loads what is rendered here.
pub const CONFIGURATION: &str = "/usr/share/tljh/jupyterhub_config.py";

/// Renders the hub's traits and becomes JupyterHub.
pub fn run(paths: &Paths) -> Result<(), HubError> {
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_folder(&paths.runtime(), 0o700)?;
    let choice = choose(paths)?;
    tell(paths, &choice);
    let token = files::ensure_secret(&paths.proxy_api_token())?;
    let rendered = render_traits(&choice.settings, paths, &token);
    files::write_atomically(&paths.hub_traits(), rendered.to_string().as_bytes(), 0o600)?;
    files::write_atomically(
        &paths.running_configuration(),
        choice.text.as_bytes(),
        0o600,
    )?;
    choice.running.write(paths)?;

    let python = paths.hub_python();
    let error = Command::new(&python)
        .args(["-m", "jupyterhub", "-f", CONFIGURATION])
        .env("TLJH_TRAITS", paths.hub_traits())
        .env("TLJH_RUNNING", paths.running())
        .current_dir(paths.state())
        .exec();
    Err(HubError::Exec {
        python,
        source: error,
    })
}

fn tell(paths: &Paths, choice: &Choice) {
    let file = paths.config_yaml();
    for unknown in &choice.settings.unknown {
        log::warn!("{}: {unknown}", file.display());
    }
    if let Some(fallback) = &choice.running.fallback {
        log::error!(
            "`{}` is not used: {}\nstarting with configuration {}, the last one that worked\n\
             hint: run `sudo tljh-config check --deep`",
            file.display(),
            fallback.reason,
            fallback.version
        );
    }
}
