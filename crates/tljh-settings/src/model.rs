//! The settings as programs use them: complete and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

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
}

/// `user_environment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEnvironment {
    /// What opens after login.
    pub default_app: DefaultApp,
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
mod tests {
    use super::*;

    fn parse(text: &str) -> Settings {
        Settings::parse(text).unwrap()
    }

    fn refusal(text: &str) -> String {
        Settings::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_gives_upstreams_defaults() {
        for text in [
            "",
            "\n",
            "# nothing\n",
            "{}",
            "---\n",
            "null",
            "\u{feff}",
            "users:\nhttp: {}\n",
        ] {
            let settings = parse(text);
            assert_eq!(settings, parse(""), "{text:?}");
            assert_eq!(settings.base_url, "/");
            assert_eq!(
                settings.auth.class,
                "firstuseauthenticator.FirstUseAuthenticator"
            );
            assert_eq!(
                settings.auth.classes["FirstUseAuthenticator"]["create_users"],
                false
            );
            assert_eq!(
                settings.limits,
                Limits {
                    memory: None,
                    cpu: None
                }
            );
            assert_eq!(
                settings.http,
                Http {
                    address: String::new(),
                    port: 80
                }
            );
            assert_eq!((settings.https.enabled, settings.https.port), (false, 443));
            assert_eq!(
                settings.user_environment.default_app,
                DefaultApp::Jupyterlab
            );
            let cull = &settings.services.cull;
            assert_eq!(
                (cull.enabled, cull.timeout, cull.every, cull.concurrency),
                (true, 600, 60, 5)
            );
            assert_eq!(
                (cull.users, cull.max_age, cull.remove_named_servers),
                (false, 0, false)
            );
            assert!(settings.unknown.is_empty());
        }
    }

    #[test]
    fn one_configuration_does_not_change_the_defaults_of_the_next() {
        parse(
            "services: {cull: {users: true}}\nauth: {FirstUseAuthenticator: {create_users: true}}",
        );
        assert!(!parse("").services.cull.users);
    }

    #[test]
    fn numbers_in_place_of_names_stay_names() {
        let settings = parse("users: {allowed: [12345, 007, ada], admin: ['1']}");
        assert_eq!(settings.users.allowed, ["12345", "007", "ada"]);
        assert!(refusal("users: {allowed: [true]}").contains("`users.allowed[0]`"));
        assert!(refusal("users: {allowed: [1.5]}").contains("quotes"));
        assert!(refusal("users: {allowed: ada}").contains("wanted a list"));
    }

    #[test]
    fn memory_is_read_as_jupyterhub_reads_it() {
        let memory = |text: &str| {
            parse(&format!("limits: {{memory: {text}}}"))
                .limits
                .memory
                .map(Memory::bytes)
        };
        assert_eq!(memory("2G"), Some(2 << 30));
        assert_eq!(memory("512M"), Some(512 << 20));
        assert_eq!(memory("1.5G"), Some(3 << 29));
        assert_eq!(memory("1073741824"), Some(1 << 30));
        assert_eq!(memory("'1073741824'"), Some(1 << 30));
        assert_eq!(memory("null"), None);
        for wrong in [
            "1.5",
            "0",
            "512",
            "2GB",
            "2g",
            "-1G",
            "lots",
            "''",
            "G",
            "inf G",
            "1e9G",
            "99999999T",
        ] {
            assert!(
                refusal(&format!("limits: {{memory: {wrong}}}")).contains("`limits.memory`"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (key, wrong) in [
            ("limits.cpu", "0"),
            ("limits.cpu", "-1"),
            ("limits.cpu", "two"),
            ("http.port", "0"),
            ("http.port", "99999"),
            ("http.port", "'80'"),
            ("http.address", "localhost"),
            ("https.letsencrypt.email", "teacher"),
            ("https.letsencrypt.domains", "[a b]"),
            ("services.cull.timeout", "-1"),
            ("services.cull.every", "0"),
            ("services.cull.enabled", "1"),
            ("user_environment.default_app", "nteract"),
            ("base_url", "http://x/"),
            ("https.tls.key", "key.pem"),
            ("users", "ada"),
            ("auth.type", "''"),
        ] {
            let mut text = wrong.to_string();
            for part in key.rsplit('.') {
                text = format!("{{{part}: {text}}}");
            }
            assert!(
                refusal(&text).contains(&format!("`{key}")),
                "{text}: {}",
                refusal(&text)
            );
        }
    }

    #[test]
    fn base_url_begins_and_ends_with_a_slash() {
        for (written, read) in [
            ("jupyter", "/jupyter/"),
            ("/a/b", "/a/b/"),
            ("//", "/"),
            ("''", "/"),
        ] {
            assert_eq!(parse(&format!("base_url: {written}")).base_url, read);
        }
    }

    #[test]
    fn authenticator_settings_follow_upstreams_rules() {
        let settings = parse(
            "auth:\n  type: dummy\n  DummyAuthenticator: {password: x, a: null}\n  LDAPAuthenticator: {b: [1]}\n",
        );
        assert_eq!(settings.auth.class, "dummy");
        assert_eq!(settings.auth.classes["DummyAuthenticator"].len(), 1);
        assert_eq!(
            settings.auth.classes["FirstUseAuthenticator"]["create_users"],
            false
        );
        let emptied = parse("auth: {FirstUseAuthenticator: {create_users: null}}");
        assert!(emptied.auth.classes["FirstUseAuthenticator"].is_empty());
        assert!(refusal("auth: {foo: 1}").contains("`auth.foo`"));
        assert!(refusal("auth: {foo: {}}").contains("`auth.foo`"));
        assert!(refusal("auth: {Foo: 1}").contains("`auth.Foo`"));
    }

    #[test]
    fn one_name_stored_as_text_is_a_group_of_one() {
        let settings = parse("users: {extra_user_groups: {disk: ada, video: [ada, 12]}}");
        assert_eq!(settings.users.extra_user_groups["disk"], ["ada"]);
        assert_eq!(settings.users.extra_user_groups["video"], ["ada", "12"]);
    }

    #[test]
    fn keys_of_plugins_are_kept_and_typing_errors_are_noticed() {
        let settings = parse(
            "shared_dir: {path: /srv}\nservices: {extra: {a: 1}}\nuser: {}\nhttp: {prot: 1}\nhttp.port: 1\n",
        );
        assert_eq!(settings.other["shared_dir"]["path"], "/srv");
        assert_eq!(settings.services.other["extra"]["a"], 1);
        assert_eq!(settings.http.port, 80);
        let unknown: Vec<String> = settings.unknown.iter().map(ToString::to_string).collect();
        assert_eq!(
            unknown,
            [
                "unknown key `shared_dir`",
                "unknown key `user`, did you mean `users`?",
                "unknown key `http.prot`, did you mean `http.port`?",
                "unknown key `http.port`, did you mean `http.port`?",
            ]
        );
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = refusal("http: {port: 0}\nlimits: {cpu: 0}\n");
        assert!(text.contains("http.port") && text.contains("limits.cpu"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let settings = parse(
            "auth: {X: {client_secret: hunter2}}\nplugin: hunter2\nservices: {s: {token: hunter2}}",
        );
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_not_yaml_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        assert_eq!(Settings::load(&path).unwrap(), parse(""));
        std::fs::write(&path, "a: [1\n").unwrap();
        assert!(
            Settings::load(&path)
                .unwrap_err()
                .to_string()
                .contains("config.yaml")
        );
        for text in ["- a\n", "a: 1\na: 2\n", "a: !x 1\n", "a: 1\n---\nb: 2\n"] {
            Settings::parse(text).unwrap_err();
        }
    }
}
