//! What the proxy is told at start: a JSON file rendered from config.yaml, and the API's token.

mod https;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tljh_terminal::Secret;

use crate::error::Error;
use crate::forward::Trust;
use crate::handover::Name;
use crate::listen::{Address, Place, SocketFile};
pub use https::{Acme, Https, OwnCertificate};

/// Where the token stands in what [`compose`] gives.
const TOKEN: &str = "token";

/// The settings. Unknown keys are left to later versions.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Address to listen on for browsers; empty for every address, IPv4 and IPv6.
    pub http_address: String,
    /// Port to listen on for browsers, 1 to 65535.
    pub http_port: u16,
    /// A socket of the file system to listen on as well.
    pub http_socket: Option<SocketFile>,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Trust,
    /// Address of the REST API.
    pub api_address: IpAddr,
    /// Port of the REST API, 1 to 65535.
    pub api_port: u16,
    /// Whether routes are told apart by host, as JupyterHub's `subdomain_host` asks for.
    pub host_routing: bool,
    /// Seconds that a request waits for the hub while that restarts.
    pub hub_wait: u64,
    /// What a request of the REST API has to bring.
    #[serde(deserialize_with = "secret")]
    pub token: Secret,
    /// HTTPS, if it is to be served.
    pub https: Option<Https>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_address: String::new(),
            http_port: 80,
            http_socket: None,
            trusted_proxies: Trust::default(),
            api_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            api_port: 15002,
            host_routing: false,
            hub_wait: 30,
            token: Secret::new(""),
            https: None,
        }
    }
}

impl Settings {
    /// Understands what [`compose`] gave.
    ///
    /// # Errors
    /// It is not the JSON that is expected, or holds no token.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let settings: Self =
            serde_json::from_str(text).map_err(|source| Error::Settings { source })?;
        if settings.token.expose().is_empty() {
            return Err(Error::NoToken);
        }
        Ok(settings)
    }

    /// Where browsers are listened for.
    ///
    /// # Errors
    /// The address is not an IP address.
    pub fn http(&self) -> Result<Place, Error> {
        Address::public(&self.http_address, self.http_port).map(Place::Port)
    }

    /// Where another proxy of this machine is listened for, if one is.
    pub fn file(&self) -> Option<Place> {
        self.http_socket.clone().map(Place::File)
    }

    /// Where browsers are listened for by TLS, if they are.
    ///
    /// # Errors
    /// The address is not an IP address.
    pub fn https(&self) -> Result<Option<Place>, Error> {
        let https = self.https.as_ref();
        let address = https.map(|https| Address::public(&https.address, https.port));
        Ok(address.transpose()?.map(Place::Port))
    }

    /// Where the hub is listened for.
    pub fn api(&self) -> Place {
        Place::Port(Address::one(self.api_address, self.api_port))
    }

    /// All sockets to listen on.
    ///
    /// # Errors
    /// An address is not an IP address.
    pub fn sockets(&self) -> Result<Vec<(Name, Place)>, Error> {
        let secure = self.https()?.map(|address| (Name::Https, address));
        let others = [(Name::Http, self.http()?), (Name::Api, self.api())];
        let file = self.file().map(|file| (Name::Socket, file));
        Ok(others.into_iter().chain(secure).chain(file).collect())
    }
}

/// Everything that the proxy is told, in one text: the settings file, the token without the white space around it, and
/// what the files hold that the settings name for HTTPS. One of those that cannot be read is told by whoever serves.
///
/// # Errors
/// A file is absent, unreadable, empty, or not what is expected.
pub fn compose(settings: &Path, token: &Path) -> Result<String, Error> {
    let mut all: Map<String, Value> =
        serde_json::from_str(&read(settings)?).map_err(|source| Error::SettingsFile {
            path: settings.into(),
            source,
        })?;
    match read(token)?.trim() {
        "" => return Err(Error::EmptyToken { path: token.into() }),
        token => all.insert(TOKEN.into(), token.into()),
    };
    if let Some(https) = all.get_mut("https").filter(|https| !https.is_null()) {
        let read = serde_json::from_value(https.clone()).and_then(|mut read: Https| {
            read.read_files();
            serde_json::to_value(read)
        });
        *https = read.map_err(|source| Error::SettingsFile {
            path: settings.into(),
            source,
        })?;
    }
    let text = Value::Object(all).to_string();
    match serde_json::from_str::<Settings>(&text) {
        Ok(_) => Ok(text),
        Err(source) => Err(Error::SettingsFile {
            path: settings.into(),
            source,
        }),
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
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
        let settings =
            Settings::parse(r#"{"http_port": 8080, "later": {}, "token": "t"}"#).unwrap();
        assert_eq!(settings.http_port, 8080);
        assert_eq!(settings.http_address, "");
        assert_eq!(settings.api_port, 15002);
        assert_eq!((settings.host_routing, settings.hub_wait), (false, 30));
        assert_eq!(settings.api_address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(settings.file().is_none());
        Settings::parse("{}").unwrap_err();
        Settings::parse(r#"{"token": "t", "trusted_proxies": ["nginx"]}"#).unwrap_err();
    }
}
