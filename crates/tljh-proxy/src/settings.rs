//! What the proxy is told at start: a JSON file rendered from config.yaml, and the API's token.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde::Deserialize;
use tljh_terminal::Secret;

use crate::error::Error;

/// The settings file. Unknown keys are left to later versions.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Address to listen on for browsers; empty for every address, IPv4 and IPv6.
    pub http_address: String,
    /// Port to listen on for browsers, 1 to 65535.
    pub http_port: u16,
    /// Address of the REST API.
    pub api_address: IpAddr,
    /// Port of the REST API, 1 to 65535.
    pub api_port: u16,
    /// Whether routes are told apart by host, as JupyterHub's `subdomain_host` asks for.
    pub host_routing: bool,
    /// Seconds that a request waits for the hub while that restarts.
    pub hub_wait: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_address: String::new(),
            http_port: 80,
            api_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            api_port: 15002,
            host_routing: false,
            hub_wait: 30,
        }
    }
}

impl Settings {
    /// Reads the settings file.
    ///
    /// # Errors
    /// The file is absent, unreadable, or not the JSON that is expected.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        serde_json::from_str(&text).map_err(|source| Error::Settings {
            path: path.into(),
            source,
        })
    }
}

/// Reads the API token, without the white space around it.
///
/// # Errors
/// The file is absent, unreadable or empty.
pub fn read_token(path: &Path) -> Result<Secret, Error> {
    match read(path)?.trim() {
        "" => Err(Error::EmptyToken { path: path.into() }),
        token => Ok(Secret::new(token)),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_keys_take_their_defaults_and_unknown_ones_are_ignored() {
        let settings: Settings =
            serde_json::from_str(r#"{"http_port": 8080, "later": {}}"#).unwrap();
        assert_eq!(settings.http_port, 8080);
        assert_eq!(settings.http_address, "");
        assert_eq!(settings.api_port, 15002);
        assert_eq!((settings.host_routing, settings.hub_wait), (false, 30));
        assert_eq!(settings.api_address, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
}
