//! `tljh-hub render proxy`: the proxy may not read the configuration, so it gets its part of it.

use serde_json::json;
use tljh_machine::services::{LOOPBACK, PROXY_API_PORT};
use tljh_machine::{Paths, files};
use tljh_settings::Settings;

use crate::error::HubError;

/// Writes the proxy's settings. They outlive a configuration that cannot be read, so that the proxy starts
/// with what worked before.
pub fn proxy(paths: &Paths) -> Result<(), HubError> {
    let settings = Settings::load(&paths.config_yaml())?;
    if settings.https.enabled {
        log::warn!("https.enabled is set, but this version serves HTTP only");
    }
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_secret(&paths.proxy_api_token())?;
    let rendered = json!({
        "http_address": settings.http.address,
        "http_port": settings.http.port,
        "api_address": LOOPBACK,
        "api_port": PROXY_API_PORT,
    });
    Ok(files::write_atomically(
        &paths.proxy_settings(),
        format!("{rendered:#}\n").as_bytes(),
        0o600,
    )?)
}
