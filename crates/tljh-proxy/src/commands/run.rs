//! `tljh-proxy run`

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::RunOptions;
use crate::error::Error;
use crate::listen;
use crate::routes::{Rules, Store, Table};
use crate::serve::{self, Sockets};
use crate::settings::{Settings, read_token};

/// Serves until SIGTERM or SIGINT.
pub fn run(options: &RunOptions) -> Result<(), Error> {
    let settings = Settings::read(&given_or_in(
        &options.settings,
        "CREDENTIALS_DIRECTORY",
        "proxy.json",
    )?)?;
    let token = read_token(&given_or_in(
        &options.token_file,
        "CREDENTIALS_DIRECTORY",
        "proxy-api-token",
    )?)?;
    let state_dir = given_or_in(&options.state_dir, "STATE_DIRECTORY", "")?;

    let http = listen::bind_public(&settings.http_address, settings.http_port)?;
    let api = listen::bind_api(settings.api_address, settings.api_port)?;
    let table = Table::load(
        Store::new(state_dir),
        Rules {
            host_routing: settings.host_routing,
            hub_wait: Duration::from_secs(settings.hub_wait),
        },
    );
    serve::serve(Sockets { http, api }, table, token)
}

/// The path given on the command line, or `name` in the folder that systemd names in `variable`.
fn given_or_in(
    given: &Option<PathBuf>,
    variable: &'static str,
    name: &str,
) -> Result<PathBuf, Error> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    // systemd separates several state directories by colons; ours is one.
    let folder = env::var(variable).ok().filter(|folder| !folder.is_empty());
    let folder = folder.ok_or(Error::NotGiven { variable })?;
    let folder = PathBuf::from(folder.split(':').next().unwrap_or_default());
    Ok(if name.is_empty() {
        folder
    } else {
        folder.join(name)
    })
}
