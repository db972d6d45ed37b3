//! The table of keys as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::key::{FIRST_USE, KEYS, Key};
use crate::kind::{Kind, LONGEST_SOCKET, SMALLEST_MEMORY, TAKEN_PORTS};

/// Where the package puts the schema.
pub const SCHEMA_PATH: &str = "/usr/share/tljh/config.schema.json";

// Without Unicode classes: validators differ in what they know of them.
/// A capital letter and what else a Python name may hold; letters beyond ASCII whatever their case.
const CLASS: &str = r"^([A-Z_]|[^\x00-\x7f])([A-Za-z0-9_]|[^\x00-\x7f])*$";
/// A part of a host name.
const LABEL: &str = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
/// An address of IPv4.
const IPV4: &str = r"(25[0-5]|(2[0-4]|1?[0-9])?[0-9])(\.(25[0-5]|(2[0-4]|1?[0-9])?[0-9])){3}";
/// What looks like an address of IPv6.
const IPV6: &str = "[0-9A-Fa-f]*:[0-9A-Fa-f:.]+";
/// A part of a URL's path.
const SEGMENT: &str = r"(?!\.{1,2}(/|$))[!$&'()*+,\-.0-9:;=@A-Z\[\]^_`a-z|~]+";
/// A Unix group.
const GROUP: &str = r"^(?!-)[^\x00-\x1f\x7f-\x9f:,/]+$";
/// A name without spaces around it.
const NAME: &str = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$";

/// A JSON Schema (draft 2020-12) of `config.yaml`, rendered from [`KEYS`], as text that ends in a line break.
///
/// It refuses unknown keys, though `tljh-config check` lets a plugin's key pass with a warning, knows no rule
/// about several keys together, and leaves the lower bound of an amount such as `1K` to the check.
pub fn render_schema() -> String {
    let mut root = Section::default();
    for key in KEYS.iter().filter(|key| !key.name.contains('<')) {
        root.add(&key.name.split('.').collect::<Vec<_>>(), property(key));
    }
    let mut schema = root.schema();
    let frame = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The Littlest JupyterHub: config.yaml",
    });
    if let (Value::Object(schema), Value::Object(frame)) = (&mut schema, frame) {
        for (at, (name, value)) in frame.into_iter().enumerate() {
            schema.shift_insert(at, name, value);
        }
    }
    free_places(&mut schema);
    format!("{schema:#}\n")
}

/// A mapping of keys.
#[derive(Default)]
struct Section {
    keys: Map<String, Value>,
    sections: Vec<(String, Section)>,
}

impl Section {
    fn add(&mut self, path: &[&str], property: Value) {
        match path {
            [] => {}
            [last] => drop(self.keys.insert((*last).to_string(), property)),
            [first, rest @ ..] => {
                let at = self.sections.iter().position(|(name, _)| name == first);
                let at = at.unwrap_or_else(|| {
                    self.sections.push(((*first).to_string(), Self::default()));
                    self.sections.len() - 1
                });
                if let Some((_, section)) = self.sections.get_mut(at) {
                    section.add(rest, property);
                }
            }
        }
    }

    fn schema(self) -> Value {
        let mut properties = self.keys;
        for (name, section) in self.sections {
            properties.insert(name, section.schema());
        }
        json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
    }
}

/// What the table leaves to plugins and authenticators.
fn free_places(schema: &mut Value) {
    let object = |place: &str, schema: &mut Value, class: Value| {
        if let Some(Value::Object(place)) = schema.pointer_mut(place) {
            place.extend(class.as_object().cloned().unwrap_or_default());
        }
    };
    let summary = |name: &str| {
        KEYS.iter()
            .find(|key| key.name == name)
            .map(|key| key.summary)
            .unwrap_or_default()
    };
    object(
        "/properties/services",
        schema,
        json!({
            "additionalProperties": {"description": summary("services.<name>")},
        }),
    );
    let class = json!({"type": "object", "description": summary("auth.<Class>.<trait>")});
    object(
        "/properties/auth",
        schema,
        json!({
            "patternProperties": {CLASS: class},
        }),
    );
    let first_use = format!("/properties/auth/properties/{FIRST_USE}");
    object(
        &first_use,
        schema,
        json!({"type": "object", "additionalProperties": true}),
    );
}

fn property(key: &Key) -> Value {
    let mut property = Map::new();
    let note = key
        .unused
        .map(|why| format!(" (no effect: {why})"))
        .unwrap_or_default();
    property.insert(
        "description".to_string(),
        format!("{}{note}", key.summary).into(),
    );
    property.extend(of_kind(key.kind));
    let default = key.default.value();
    if !default.is_null() {
        property.insert("default".to_string(), default);
    }
    let example = match key.kind {
        kind if kind.is_list() => json!([key.example]),
        Kind::Groups => json!({"video": [key.example]}),
        kind => kind.parse_word(key.example),
    };
    property.insert("examples".to_string(), json!([example]));
    if key.unused.is_some() {
        property.insert("deprecated".to_string(), true.into());
    }
    Value::Object(property)
}

/// What [`Kind::read`] accepts, and `null`, which counts as absent.
fn of_kind(kind: Kind) -> Map<String, Value> {
    let host = format!(r"{LABEL}(\.{LABEL})*");
    let not_an_address = r"(?!([0-9]{1,3}\.){3}[0-9]{1,3}$)";
    // A number in the place of a name is taken for what is written.
    let name = json!({"type": ["string", "number"], "pattern": NAME});
    let names = json!({"type": "array", "items": name});
    let schema = match kind {
        Kind::Text => json!({"type": ["string", "number", "null"], "minLength": 1}),
        Kind::UrlPath => {
            json!({"type": ["string", "null"], "pattern": format!("^/*({SEGMENT}(/{SEGMENT})*)?/*$")})
        }
        Kind::Switch => json!({"type": ["boolean", "null"]}),
        Kind::Integer(low, high) => {
            json!({"type": ["integer", "null"], "minimum": low, "maximum": high})
        }
        Kind::Port => {
            json!({"type": ["integer", "null"], "minimum": 1, "maximum": 65535, "not": {"enum": TAKEN_PORTS}})
        }
        Kind::Address => json!({
            "type": ["string", "null"],
            "pattern": format!("^({IPV4}|{IPV6})?$"),
        }),
        Kind::File => json!({"type": ["string", "null"], "pattern": "^(/.*)?$"}),
        Kind::Socket => json!({
            "type": ["string", "null"],
            "maxLength": LONGEST_SOCKET,
            "pattern": "^(/[A-Za-z0-9._/-]*[A-Za-z0-9._-])?$",
        }),
        Kind::Group => json!({"type": ["string", "null"], "pattern": GROUP}),
        Kind::Networks => json!({
            "type": ["array", "null"],
            "items": {
                "type": "string",
                "pattern": format!("^({IPV4}(/(3[0-2]|[12]?[0-9]))?|{IPV6}(/(12[0-8]|(1[01]|[1-9])?[0-9]))?)$"),
            },
        }),
        Kind::Channels => json!({
            "type": ["array", "null"],
            "items": {
                "type": "string",
                "pattern": "^((https?://|file:///)[!-?A-~]+|[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*)$",
            },
        }),
        Kind::Url => json!({"type": ["string", "null"], "pattern": "^(https://[!-~]+)?$"}),
        Kind::Email => {
            json!({"type": ["string", "null"], "pattern": format!("^([!-?A-~]+@{not_an_address}{host}|)$")})
        }
        Kind::Domains => json!({
            "type": ["array", "null"],
            "items": {"type": "string", "maxLength": 253, "pattern": format!("^{not_an_address}{host}$")},
        }),
        Kind::Names => json!({"type": ["array", "null"], "items": name}),
        Kind::Groups => json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": GROUP},
            "additionalProperties": {"anyOf": [names, name, {"type": "null"}]},
        }),
        Kind::Memory => json!({"anyOf": [
            {"type": "null"},
            {"type": "integer", "minimum": SMALLEST_MEMORY},
            {"type": "string", "pattern": r"^([0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)[KMGT])$"},
        ]}),
        Kind::Cores => json!({"type": ["number", "null"], "minimum": 0.01, "maximum": 65536}),
        Kind::Choice(words) => {
            let mut words: Vec<Value> = words.iter().map(|word| Value::from(*word)).collect();
            words.push(Value::Null);
            json!({"enum": words})
        }
        Kind::Json => json!({}),
    };
    schema.as_object().cloned().unwrap_or_default()
}
