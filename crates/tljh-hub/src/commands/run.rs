//! `tljh-hub run`: from config.yaml to a running JupyterHub, in the same process.

use std::os::unix::process::CommandExt;
use std::process::Command;

use tljh_machine::{Paths, files};
use tljh_settings::Settings;

use crate::error::HubError;
use crate::traits::render_traits;

/// The hub's configuration file, which loads what is rendered here.
const CONFIGURATION: &str = "/usr/share/tljh/jupyterhub_config.py";

/// Renders the hub's traits and becomes JupyterHub.
pub fn run(paths: &Paths) -> Result<(), HubError> {
    let settings = Settings::load(&paths.config_yaml())?;
    for unknown in &settings.unknown {
        log::warn!("{}: {unknown}", paths.config_yaml().display());
    }
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_folder(&paths.runtime(), 0o700)?;
    let token = files::ensure_secret(&paths.proxy_api_token())?;
    let rendered = render_traits(&settings, paths, &token);
    files::write_atomically(&paths.hub_traits(), rendered.to_string().as_bytes(), 0o600)?;

    let python = paths.hub_python();
    let error = Command::new(&python)
        .args(["-m", "jupyterhub", "-f", CONFIGURATION])
        .env("TLJH_TRAITS", paths.hub_traits())
        .current_dir(paths.state())
        .exec();
    Err(HubError::Exec {
        python,
        source: error,
    })
}
