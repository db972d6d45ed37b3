//! `tljh-config show [KEY]`.

use serde_json::{Map, Value, json};
use tljh_settings::edit::{Document, split_path};
use tljh_settings::{KEYS, Lines, Lookup, effective, lookup, redact, redact_text};

use super::get::value_of;
use super::{Target, print};
use crate::cli::ShowArgs;
use crate::error::Error;

/// Prints the file as it is, or what the flags make of it; `{}` where it sets nothing.
pub fn run(target: &Target, words: &ShowArgs) -> Result<(), Error> {
    let document = target.store()?.read()?;
    let path = match &words.key_path {
        Some(key_path) => split_path(key_path)?,
        None => Vec::new(),
    };
    if path.is_empty() && !words.effective && !words.origin && !words.json {
        return print(&text_of(&document, words.redact));
    }
    let mut tree = if words.redact {
        redact(document.value())
    } else {
        document.value().clone()
    };
    if words.effective {
        tree = effective(&tree);
    }
    let value = selected(&tree, &path, words, target)?;
    if words.origin {
        return print(&origins(&document, target, &path, &value, words.json));
    }
    print(&if words.json {
        to_json(&value)
    } else {
        to_yaml(&value)
    })
}

fn text_of(document: &Document, redact: bool) -> String {
    if document.value().as_object().is_none_or(Map::is_empty) {
        return "{}\n".to_string();
    }
    let mut text = if redact {
        redact_text(document, document)
    } else {
        document.to_string()
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The part that is asked for. A known key that the file does not set is `null`, without its default.
fn selected(
    tree: &Value,
    path: &[&str],
    words: &ShowArgs,
    target: &Target,
) -> Result<Value, Error> {
    let there = path.iter().try_fold(tree, |value, part| value.get(part));
    match there {
        Some(value) => Ok(value.clone()),
        None if !words.effective && matches!(lookup(path), Lookup::Key { .. }) => Ok(Value::Null),
        None => value_of(tree, path, target),
    }
}

/// Each value below `path` with the place that sets it.
fn origins(
    document: &Document,
    target: &Target,
    path: &[&str],
    value: &Value,
    as_json: bool,
) -> String {
    let lines = Lines::of(&document.to_string());
    let file = target
        .store
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let mut leaves = Vec::new();
    collect_leaves(value, &mut path.to_vec(), &mut leaves);
    let mut text = String::new();
    let mut object = Map::new();
    for (path, value) in leaves {
        let key = path.join(".");
        // A known key that is `null` has its default.
        let known = KEYS.iter().any(|known| known.name == key);
        let set = document
            .get(&path)
            .is_some_and(|value| !(known && value.is_null()));
        let origin = match lines.line(&path).filter(|_| set) {
            Some(line) => format!("{file}:{line}"),
            None if set => file.to_string(),
            None => "default".to_string(),
        };
        if as_json {
            object.insert(key, json!({"value": value, "origin": origin}));
        } else {
            text.push_str(&format!("{key}: {}  # {origin}\n", on_one_line(value)));
        }
    }
    if as_json {
        to_json(&Value::Object(object))
    } else {
        text
    }
}

fn collect_leaves<'value>(
    value: &'value Value,
    path: &mut Vec<&'value str>,
    leaves: &mut Vec<(Vec<&'value str>, &'value Value)>,
) {
    match value {
        Value::Object(object) if !object.is_empty() || path.is_empty() => {
            for (name, value) in object {
                path.push(name);
                collect_leaves(value, path, leaves);
                path.pop();
            }
        }
        value => leaves.push((path.clone(), value)),
    }
}

/// YAML without a line break; JSON where YAML needs more than a line.
fn on_one_line(value: &Value) -> String {
    let yaml = to_yaml(value);
    let yaml = yaml.trim_end();
    if value.is_array() || value.is_object() || yaml.contains('\n') {
        value.to_string()
    } else {
        yaml.to_string()
    }
}

/// The value as YAML, with a newline at the end.
pub fn to_yaml(value: &Value) -> String {
    // Every JSON value can be written as YAML.
    serde_yaml::to_string(value).unwrap_or_default()
}

/// The value as JSON on several lines, with a newline at the end.
pub fn to_json(value: &Value) -> String {
    format!("{value:#}\n")
}
