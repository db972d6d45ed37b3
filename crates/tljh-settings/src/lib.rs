//! The configuration file `config.yaml`, typed.
//!
//! [`Settings`] is what programs use: every key has a value, checked, from the file or by default.
//! [`KEYS`] is the one home of each key's name, type, default and description; validation, the command
//! line's value parsing and the reference page all come from it. Keys that plugins may use are kept as
//! JSON. Nothing here restarts a service or knows a program.

mod check;
mod diagnose;
pub mod edit;
mod effective;
mod error;
mod key;
mod kind;
mod lines;
mod mask;
mod model;
mod place;
mod redact;
mod reference;
mod rules;
mod schema;
mod secret;
pub mod store;
mod tree;
mod yaml;

pub use check::{Checked, Severity, check};
pub use diagnose::{Diagnostic, Inspection, diagnose, render_diagnostics};
pub use effective::effective;
pub use error::{Problem, SettingsError, UnknownKey, correct};
pub use key::{Fallback, KEYS, Key, Lookup, lookup};
pub use kind::{Flaw, Kind, Memory, Reading};
pub use lines::Lines;
pub use model::{
    Auth, Cull, DefaultApp, Http, Https, JsonObject, LetsEncrypt, Limits, Services, Settings, Tls,
    UserEnvironment, Users,
};
pub use place::Step;
pub use redact::{MASK, redact, redact_text};
pub use reference::render_reference;
pub use schema::{SCHEMA_PATH, render_schema};
pub use secret::is_secret;
pub use yaml::parse_yaml;

/// Where the configuration lives on an installed machine.
pub const CONFIG_PATH: &str = "/etc/tljh/config.yaml";
