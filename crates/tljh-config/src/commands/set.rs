//! `tljh-config set KEY VALUE`.

use serde_json::Value;
use tljh_settings::{KEYS, Kind, Lookup, lookup};

use super::Target;
use super::edit::Edit;
use crate::error::Error;

/// Sets a key. The type in the table of keys decides what the word means.
pub fn run(target: &Target, key_path: &str, word: &str) -> Result<(), Error> {
    let edit = Edit {
        verb: "set",
        key_path,
        value: Some(word),
    };
    edit.apply(target, |document, path| {
        let found = lookup(path);
        let value = match &found {
            Lookup::Key { kind, .. } => kind.parse_word(word),
            _ => Kind::Json.parse_word(word),
        };
        let value = match (&found, value) {
            // Upstream documents `set users.extra_user_groups.GROUP USER`, which stores text where the
            // hub needs a list.
            (_, Value::String(name)) if is_group(path) => Value::Array(vec![name.into()]),
            (Lookup::Key { kind, key }, Value::String(value))
                if target.validate && kind.is_list() && key.name == key_path =>
            {
                return Err(Error::List {
                    key: key_path.to_string(),
                    instead: format!("{} add-item {key_path} {value}", target.program()),
                });
            }
            (Lookup::Section, _) if target.validate => {
                let inside = |name: &&str| {
                    name.strip_prefix(key_path)
                        .is_some_and(|rest| rest.starts_with('.'))
                };
                let example = KEYS
                    .iter()
                    .map(|key| key.name)
                    .find(inside)
                    .unwrap_or("auth.<Class>.<trait>");
                return Err(Error::Section {
                    key: key_path.to_string(),
                    example: example.to_string(),
                    forced: edit.forced(target),
                });
            }
            (_, value) => value,
        };
        Ok(document.set(path, &value)?)
    })
}

fn is_group(path: &[&str]) -> bool {
    matches!(path, ["users", "extra_user_groups", _])
}
