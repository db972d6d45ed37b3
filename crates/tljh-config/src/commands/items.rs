//! What `add-item` and `remove-item` share.

use serde_json::Value;
use tljh_settings::{Kind, Lookup, is_secret, lookup};

/// The item that a word stands for in the list at `path`.
pub fn item(path: &[&str], word: &str) -> Value {
    match lookup(path) {
        Lookup::Key {
            kind: Kind::Json, ..
        }
        | Lookup::Unknown(_) => Kind::Json.parse_word(word),
        _ => word.into(),
    }
}

/// Says of `items` that they are `already in` or `not in` the list; nothing where there are none.
pub fn notice(items: &[&str], relation: &str, key_path: &str) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let path: Vec<&str> = key_path.split('.').collect();
    let names: Vec<String> = items
        .iter()
        .map(|item| {
            format!(
                "`{}`",
                if is_secret(&path) {
                    tljh_settings::MASK
                } else {
                    item
                }
            )
        })
        .collect();
    let verb = if items.len() == 1 { "is" } else { "are" };
    vec![format!(
        "{} {verb} {relation} `{key_path}`",
        names.join(", ")
    )]
}
