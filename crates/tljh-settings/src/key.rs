//! The table of keys: the one home of each key's name, type, default and description.

use serde_json::{Map, Value};

use crate::kind::Kind;

/// The default of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fallback {
    /// Nothing is set.
    Null,
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Integer(u64),
    /// Text.
    Text(&'static str),
    /// An empty list.
    List,
    /// An empty mapping.
    Mapping,
}

impl Fallback {
    /// The default as a value.
    pub fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Switch(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Text(value) => value.into(),
            Self::List => Value::Array(Vec::new()),
            Self::Mapping => Value::Object(Map::new()),
        }
    }
}

/// One key of `config.yaml`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Dotted name; a part in angle brackets stands for any name.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Value when the file does not set it.
    pub default: Fallback,
    /// What it does, in one line.
    pub summary: &'static str,
    /// A value as it is typed after `tljh-config set NAME`, or `add-item NAME` for a list.
    pub example: &'static str,
    /// Why setting it has no effect in this version; `None` if it has one.
    pub unused: Option<&'static str>,
}

impl Key {
    /// A real path for the example: the name, with examples in the place of parts in angle brackets.
    pub fn example_path(&self) -> &'static str {
        match self.name {
            "auth.<Class>.<trait>" => "auth.LDAPAuthenticator.server_address",
            "users.extra_user_groups" => "users.extra_user_groups.video",
            "services.<name>" => "services.backup.keep",
            name => name,
        }
    }
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    example: &'static str,
    summary: &'static str,
) -> Key {
    let unused = match name.as_bytes() {
        [b't', b'r', b'a', b'e', b'f', b'i', b'k', b'_', ..] => Some(
            "tljh-proxy has no such API; the key is kept for configurations of upstream's TLJH",
        ),
        _ => None,
    };
    Key {
        name,
        kind,
        default,
        summary,
        example,
        unused,
    }
}

/// The default of `auth.type`.
pub(crate) const FIRST_USE: &str = "FirstUseAuthenticator";
/// Traits of the bundled authenticators that are text, so that digits stay text.
const TEXT_TRAITS: &[&str] = &[
    "client_id",
    "client_secret",
    "global_password",
    "password",
    "tenant_id",
];
/// Traits of every authenticator that are sets of user names.
const NAME_TRAITS: &[&str] = &["admin_users", "allowed_users", "blocked_users"];
const LONGEST_SECONDS: u64 = u32::MAX as u64;
const APPS: &[&str] = &["jupyterlab", "classic"];

/// Every key, in the order of the reference page. Names and defaults are upstream's.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("base_url", Kind::UrlPath, Fallback::Text("/"), "/jupyter/", "Path under which the hub is served"),
    key("auth.type", Kind::Text, Fallback::Text("firstuseauthenticator.FirstUseAuthenticator"), "nativeauthenticator.NativeAuthenticator", "Authenticator: a short name or a dotted Python class"),
    key("auth.FirstUseAuthenticator.create_users", Kind::Switch, Fallback::Switch(false), "true", "Let anybody in who chooses a new name and password"),
    key("auth.<Class>.<trait>", Kind::Json, Fallback::Null, "ldap.example.org", "Any setting of an authenticator, set on its Python class"),
    key("users.allowed", Kind::Names, Fallback::List, "ada", "Users who may log in"),
    key("users.banned", Kind::Names, Fallback::List, "mallory", "Users who may not log in, whatever else lets them"),
    key("users.admin", Kind::Names, Fallback::List, "teacher", "Administrators of the hub; they may also use sudo"),
    key("users.extra_user_groups", Kind::Groups, Fallback::Mapping, "ada", "Unix groups that a user joins when the server starts; set with `users.extra_user_groups.GROUP`"),
    key("limits.memory", Kind::Memory, Fallback::Null, "2G", "Memory limit of each user's server"),
    key("limits.cpu", Kind::Cores, Fallback::Null, "1.5", "Limit of processor cores of each user's server"),
    key("http.address", Kind::Address, Fallback::Text(""), "192.0.2.10", "Address to listen on"),
    key("http.port", Kind::Port, Fallback::Integer(80), "8080", "Port for HTTP"),
    key("http.trusted_proxies", Kind::Networks, Fallback::List, "192.0.2.10", "Other proxies in front of this one, whose word is taken for who asks and how"),
    key("http.socket", Kind::Socket, Fallback::Text(""), "/run/tljh-proxy/http.sock", "Socket to listen on as well, for another proxy on this machine"),
    key("http.socket_group", Kind::Group, Fallback::Text("www-data"), "nginx", "Group of that other proxy's processes: they alone may use the socket"),
    key("https.enabled", Kind::Switch, Fallback::Switch(false), "true", "Serve HTTPS and redirect HTTP to it"),
    key("https.address", Kind::Address, Fallback::Text(""), "192.0.2.10", "Address to listen on for HTTPS"),
    key("https.port", Kind::Port, Fallback::Integer(443), "8443", "Port for HTTPS"),
    key("https.hsts", Kind::Integer(0, LONGEST_SECONDS), Fallback::Integer(0), "31536000", "Seconds for which browsers insist on HTTPS (HSTS), whatever happens; 0 for never"),
    key("https.tls.key", Kind::File, Fallback::Text(""), "/etc/ssl/private/hub.key", "Private key of an own certificate"),
    key("https.tls.cert", Kind::File, Fallback::Text(""), "/etc/ssl/certs/hub.pem", "Own certificate, with its chain"),
    key("https.letsencrypt.email", Kind::Email, Fallback::Text(""), "teacher@example.org", "Where Let's Encrypt sends warnings"),
    key("https.letsencrypt.domains", Kind::Domains, Fallback::List, "hub.example.org", "Host names of the certificate; the first is the main one"),
    key("https.letsencrypt.staging", Kind::Switch, Fallback::Switch(false), "true", "Use Let's Encrypt's test service"),
    key("https.letsencrypt.directory", Kind::Url, Fallback::Text(""), "https://ca.example.org/acme/directory", "Directory of another CA that speaks ACME; empty for Let's Encrypt"),
    key("https.letsencrypt.ca_file", Kind::File, Fallback::Text(""), "/etc/ssl/certs/our-ca.pem", "Root certificate of that CA's own server, if this machine does not know it"),
    key("traefik_api.ip", Kind::Text, Fallback::Text("127.0.0.1"), "127.0.0.1", "Address of upstream's proxy API"),
    key("traefik_api.port", Kind::Port, Fallback::Integer(8099), "8099", "Port of upstream's proxy API"),
    key("traefik_api.username", Kind::Text, Fallback::Text("api_admin"), "api_admin", "User of upstream's proxy API"),
    key("traefik_api.password", Kind::Text, Fallback::Null, "secret", "Password of upstream's proxy API"),
    key("user_environment.default_app", Kind::Choice(APPS), Fallback::Text("jupyterlab"), "classic", "What opens after login: JupyterLab or the classic notebook"),
    key("user_environment.channels", Kind::Channels, Fallback::List, "conda-forge", "Where conda packages come from, the first first: names or URLs, mirrors and `file://` too; conda-forge if there is none"),
    key("services.cull.enabled", Kind::Switch, Fallback::Switch(true), "false", "Stop servers that nobody uses"),
    key("services.cull.timeout", Kind::Integer(1, LONGEST_SECONDS), Fallback::Integer(600), "3600", "Seconds without activity after which a server is stopped"),
    key("services.cull.every", Kind::Integer(1, LONGEST_SECONDS), Fallback::Integer(60), "600", "Seconds between two looks for idle servers"),
    key("services.cull.concurrency", Kind::Integer(1, 1000), Fallback::Integer(5), "10", "How many requests the culler sends at a time"),
    key("services.cull.users", Kind::Switch, Fallback::Switch(false), "true", "Also delete idle users from the hub"),
    key("services.cull.max_age", Kind::Integer(0, LONGEST_SECONDS), Fallback::Integer(0), "86400", "Seconds after which a server is stopped even if it is used; 0 for never"),
    key("services.cull.remove_named_servers", Kind::Switch, Fallback::Switch(false), "true", "Also delete named servers that were stopped"),
    key("services.<name>", Kind::Json, Fallback::Null, "7", "Settings of a plugin's service"),
];

/// What a dotted path names.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// A key of the table, or a place inside one that the table describes.
    Key {
        /// The entry of the table.
        key: &'static Key,
        /// The type at this very place, such as a list of names for one of the groups.
        kind: Kind,
    },
    /// A mapping that holds keys, such as `http`.
    Section,
    /// Nothing known; with the nearest name, if any is close.
    Unknown(Option<String>),
}

/// Finds what `path` names.
pub fn lookup(path: &[impl AsRef<str>]) -> Lookup {
    let parts: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let dotted = parts.join(".");
    if let Some(key) = exact(&dotted) {
        return Lookup::Key {
            key,
            kind: key.kind,
        };
    }
    let free = |name: &str| {
        exact(name).map(|key| Lookup::Key {
            key,
            kind: key.kind,
        })
    };
    let found = match parts.as_slice() {
        ["users", "extra_user_groups", _group] => {
            exact("users.extra_user_groups").map(|key| Lookup::Key {
                key,
                kind: Kind::Names,
            })
        }
        ["auth", class] if is_class_name(class) => Some(Lookup::Section),
        ["auth", class, name, ..] if is_class_name(class) => {
            let kind = match *name {
                name if TEXT_TRAITS.contains(&name) => Kind::Text,
                name if NAME_TRAITS.contains(&name) => Kind::Names,
                _ => Kind::Json,
            };
            exact("auth.<Class>.<trait>").map(|key| Lookup::Key { key, kind })
        }
        ["services", name, ..] if *name != "cull" => free("services.<name>"),
        _ => None,
    };
    found.unwrap_or_else(|| {
        if is_section(&dotted) {
            Lookup::Section
        } else {
            Lookup::Unknown(nearest(&dotted))
        }
    })
}

/// Whether numbers at `path` are text that is written with digits: names, passwords.
pub(crate) fn reads_as_text(path: &[&str]) -> bool {
    matches!(
        lookup(path),
        Lookup::Key {
            kind: Kind::Text | Kind::Names,
            ..
        }
    )
}

/// The key of the table with this very name.
pub(crate) fn exact(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether keys of the table lie below `name`.
pub(crate) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Whether upstream takes a key under `auth` for a Python class: an identifier, first letter not small.
pub(crate) fn is_class_name(name: &str) -> bool {
    name.chars()
        .next()
        .is_some_and(|first| !first.is_lowercase() && !first.is_ascii_digit())
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || character == '_')
}

/// The known key or section that is spelled most like `name`.
pub(crate) fn nearest(name: &str) -> Option<String> {
    let sections = KEYS
        .iter()
        .flat_map(|key| key.name.match_indices('.').map(|(end, _)| &key.name[..end]));
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    KEYS.iter()
        .map(|key| key.name)
        .chain(sections)
        .filter(|known| !known.contains('<'))
        .map(|known| {
            // `memory` for `limits.memory` is as good as a typing error.
            let whole = strsim::normalized_damerau_levenshtein(name, known);
            let tail = strsim::normalized_damerau_levenshtein(name, &last(known)) * 0.9;
            (whole.max(tail), known)
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known.to_string())
}
