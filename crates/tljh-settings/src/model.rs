//! The settings as programs use them: complete and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check::check;
use crate::error::{SettingsError, UnknownKey};
use crate::kind::Memory;
use crate::yaml::parse_yaml;

/// A JSON object, in the order of the file.
pub type JsonObject = serde_json::Map<String, Value>;

/// The whole configuration. Its `Debug` leaves out everything that may hold a secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Path under which the hub is served; begins and ends with a slash.
    pub base_url: String,
    /// How people log in.
    pub auth: Auth,
    /// Who may log in.
    pub users: Users,
    /// What each user's server may take.
    pub limits: Limits,
    /// Where the proxy listens.
    pub http: Http,
    /// HTTPS of the proxy.
    pub https: Https,
    /// What users see.
    pub user_environment: UserEnvironment,
    /// The culler, and plugins' services.
    pub services: Services,
    /// Top-level keys that only plugins read.
    #[serde(default)]
    pub other: JsonObject,
    /// Keys that nothing of ours reads, plugins' included; worth a line in the log.
    #[serde(skip)]
    pub unknown: Vec<UnknownKey>,
}

/// `auth`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Auth {
    /// `auth.type`: authenticator, a short name or a dotted Python class.
    #[serde(rename = "type")]
    pub class: String,
    /// `auth.<Class>.<trait>`: traits by class. Empty (`null`) traits are left out, as upstream does.
    pub classes: BTreeMap<String, JsonObject>,
}

/// `users`. Names are the hub's, not those of Unix accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Users {
    /// May log in.
    pub allowed: Vec<String>,
    /// May not log in.
    pub banned: Vec<String>,
    /// Administrators.
    pub admin: Vec<String>,
    /// Unix group to the users who join it.
    pub extra_user_groups: BTreeMap<String, Vec<String>>,
}

/// `limits` of each user's server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory; `None` for no limit.
    pub memory: Option<Memory>,
    /// Cores, at least 0.01; `None` for no limit.
    pub cpu: Option<f64>,
}

/// `http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// IP address; empty for all.
    pub address: String,
    /// Port, 1 to 65535.
    pub port: u16,
    /// IP addresses and networks of proxies in front.
    pub trusted_proxies: Vec<String>,
    /// Absolute path of a socket to listen on as well; empty for none.
    pub socket: String,
    /// Unix group that may use it.
    pub socket_group: String,
}

/// `https`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Https {
    /// Whether HTTPS is asked for.
    pub enabled: bool,
    /// IP address; empty for all.
    pub address: String,
    /// Port, 1 to 65535.
    pub port: u16,
    /// Seconds for which browsers insist on HTTPS; 0 for not at all.
    pub hsts: u64,
    /// An own certificate.
    pub tls: Tls,
    /// A certificate from Let's Encrypt.
    pub letsencrypt: LetsEncrypt,
}

/// `https.tls`: absolute paths, empty when not set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Private key.
    pub key: String,
    /// Certificate with its chain.
    pub cert: String,
}

/// `https.letsencrypt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetsEncrypt {
    /// Contact; empty when not set.
    pub email: String,
    /// Host names in lower case, the main one first.
    pub domains: Vec<String>,
    /// Whether to use the test service.
    pub staging: bool,
    /// URL of another CA's directory; empty for Let's Encrypt.
    pub directory: String,
    /// Absolute path of a root certificate for that CA's own server; empty when not set.
    pub ca_file: String,
}

/// `user_environment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEnvironment {
    /// What opens after login.
    pub default_app: DefaultApp,
    /// Conda channels, names or URLs, the first first; none stands for conda-forge.
    pub channels: Vec<String>,
}

/// Values of `user_environment.default_app`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefaultApp {
    /// JupyterLab.
    Jupyterlab,
    /// The classic notebook.
    Classic,
}

impl DefaultApp {
    /// The path that a user's server opens (JupyterHub's `Spawner.default_url`).
    pub fn url(self) -> &'static str {
        match self {
            Self::Jupyterlab => "/lab",
            Self::Classic => "/tree",
        }
    }
}

/// `services`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Services {
    /// The idle culler.
    pub cull: Cull,
    /// Services of plugins.
    #[serde(default)]
    pub other: JsonObject,
}

/// `services.cull`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cull {
    /// Whether idle servers are stopped.
    pub enabled: bool,
    /// Idle seconds, at least 1.
    pub timeout: u32,
    /// Seconds between looks, at least 1.
    pub every: u32,
    /// Requests at a time, at least 1.
    pub concurrency: u32,
    /// Whether idle users are deleted from the hub.
    pub users: bool,
    /// Seconds after which a used server is stopped too; 0 for never.
    pub max_age: u32,
    /// Whether stopped named servers are deleted.
    pub remove_named_servers: bool,
}

impl Http {
    /// Whether a proxy at this address is trusted.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|text| {
            let network = text.parse::<IpNet>().ok();
            let network = network.or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
            network.is_some_and(|network| network.contains(&address))
        })
    }
}

impl Settings {
    /// Reads a configuration; an empty text gives the defaults.
    ///
    /// Unknown keys are not errors here, since plugins use them; see [`Settings::unknown`].
    ///
    /// # Errors
    /// Text that is not YAML, and values that cannot be used, all of them at once.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        check(&parse_yaml(text)?).into_settings()
    }

    /// Reads the configuration at `path`; a missing file gives the defaults.
    ///
    /// # Errors
    /// As [`Settings::parse`], naming the file; and a file that cannot be read.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(SettingsError::Read {
                    path: path.to_path_buf(),
                    source,
                });
            }
        };
        Self::parse(&text).map_err(|error| error.in_file(path))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("base_url", &self.base_url)
            .field("auth", &self.auth)
            .field("users", &self.users)
            .field("limits", &self.limits)
            .field("http", &self.http)
            .field("https", &self.https)
            .field("user_environment", &self.user_environment)
            .field("services", &self.services)
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: Vec<&String> = self.classes.keys().collect();
        formatter
            .debug_struct("Auth")
            .field("class", &self.class)
            .field("classes", &classes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Services")
            .field("cull", &self.cull)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
