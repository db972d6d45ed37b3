//! The table of keys as a page for administrators.

use std::fmt::Write as _;

use crate::key::{Fallback, KEYS, Key};

/// The keys as a Markdown table, in the order of [`KEYS`].
pub fn render_reference() -> String {
    let mut page =
        String::from("| Key | Type | Default | What it does | Example |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let note = key
            .unused
            .map(|why| format!(" (no effect: {why})"))
            .unwrap_or_default();
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {}{note} | `{}` |",
            key.name,
            key.kind.describe(),
            shown_default(key.default),
            key.summary,
            command(key),
        );
    }
    page
}

fn shown_default(default: Fallback) -> String {
    match default {
        Fallback::Null => "not set".to_string(),
        Fallback::Text("") => "empty".to_string(),
        Fallback::Text(text) => format!("`{text}`"),
        Fallback::List => "empty list".to_string(),
        Fallback::Mapping => "none".to_string(),
        Fallback::Switch(value) => format!("`{value}`"),
        Fallback::Integer(value) => format!("`{value}`"),
    }
}

/// The example after `tljh-config`.
fn command(key: &Key) -> String {
    let verb = if key.kind.is_list() {
        "add-item"
    } else {
        "set"
    };
    format!("{verb} {} {}", key.example_path(), key.example)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Lookup, lookup};

    #[test]
    fn every_default_and_every_example_is_a_value_of_its_key() {
        for key in KEYS {
            let default = key.default.value();
            assert!(
                default.is_null() || key.kind.read(&default).is_ok(),
                "default of {}",
                key.name
            );
            let path: Vec<&str> = key.example_path().split('.').collect();
            let Lookup::Key { key: found, kind } = lookup(&path) else {
                panic!("{} is not found", key.name)
            };
            assert_eq!(found.name, key.name);
            let value = match kind {
                kind if kind.is_list() => serde_json::json!([key.example]),
                kind => kind.parse_word(key.example),
            };
            assert!(kind.read(&value).is_ok(), "example of {}", key.name);
        }
    }
}
