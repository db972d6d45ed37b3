//! What `add-item` and `remove-item` share.

use serde_json::Value;
use tljh_settings::{Kind, Lookup, MASK, is_secret, lookup};

/// The items that words stand for in the list at `path`.
pub fn items(path: &[&str], words: &[String]) -> Vec<Value> {
    let guessed = matches!(
        lookup(path),
        Lookup::Unknown(_)
            | Lookup::Key {
                kind: Kind::Json,
                ..
            }
    );
    let item = |word: &String| match guessed {
        true => Kind::Json.parse_word(word),
        false => word.as_str().into(),
    };
    words.iter().map(item).collect()
}

/// Says of `items` that they are `already in` or `not in` the list; nothing where there are none.
pub fn notice(items: &[&Value], relation: &str, key_path: &str) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let path: Vec<&str> = key_path.split('.').collect();
    let secret = is_secret(&path);
    let shown = |item: &&Value| match item {
        _ if secret => format!("`{MASK}`"),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let names: Vec<String> = items.iter().map(shown).collect();
    let verb = if items.len() == 1 { "is" } else { "are" };
    vec![format!(
        "{} {verb} {relation} `{key_path}`",
        names.join(", ")
    )]
}
