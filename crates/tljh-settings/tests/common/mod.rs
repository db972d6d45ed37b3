//! Edits, what they do to the values, and how many lines they cost.

use serde_json::{Map, Value, json};
use tljh_settings::edit::{Document, EditError};

#[derive(Debug, Clone)]
pub enum Edit<'path> {
    Set(Vec<&'path str>, Value),
    Unset(Vec<&'path str>),
    Add(Vec<&'path str>, Value),
    Remove(Vec<&'path str>, usize),
}

pub fn get<'value>(root: &'value Value, path: &[&str]) -> Option<&'value Value> {
    path.iter().try_fold(root, |value, part| value.get(part))
}

fn put(root: Value, path: &[&str], value: Value) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return value;
    };
    let mut object = if let Value::Object(object) = root {
        object
    } else {
        Map::new()
    };
    let inner = object.get(*first).cloned().unwrap_or(Value::Null);
    object.insert((*first).to_string(), put(inner, rest, value));
    Value::Object(object)
}

fn without(root: &Value, path: &[&str]) -> Value {
    let mut object = root.as_object().cloned().unwrap_or_default();
    let Some((first, rest)) = path.split_first() else {
        return root.clone();
    };
    let inner = if rest.is_empty() {
        json!({})
    } else {
        without(&object[*first], rest)
    };
    if inner == json!({}) {
        object.shift_remove(*first);
    } else {
        object.insert((*first).to_string(), inner);
    }
    Value::Object(object)
}

/// What the values should be afterwards; `None` where the edit must be refused.
pub fn expected(before: &Value, edit: &Edit<'_>) -> Option<Value> {
    match edit {
        Edit::Set(path, value) => Some(put(before.clone(), path, value.clone())),
        Edit::Unset(path) => get(before, path).map(|_| without(before, path)),
        Edit::Add(path, item) => {
            let mut items = match get(before, path) {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(items)) => items.clone(),
                Some(_) => return None,
            };
            let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
            let null = item.is_null();
            if !items
                .iter()
                .any(|old| old.is_null() == null && text(old) == text(item))
            {
                items.push(item.clone());
            } else {
                return Some(before.clone());
            }
            Some(put(before.clone(), path, Value::Array(items)))
        }
        Edit::Remove(path, index) => {
            let mut items = get(before, path)?.as_array()?.clone();
            if *index >= items.len() {
                return None;
            }
            let first = items.iter().position(|item| *item == items[*index])?;
            items.remove(first);
            Some(put(before.clone(), path, Value::Array(items)))
        }
    }
}

pub fn apply(document: &mut Document, edit: &Edit<'_>) -> Result<(), EditError> {
    match edit {
        Edit::Set(path, value) => document.set(path, value),
        Edit::Unset(path) => document.unset(path),
        Edit::Add(path, item) => document.add_item(path, item).map(|_| ()),
        Edit::Remove(path, index) => {
            let item = document.get(path).and_then(|list| list.get(index)).cloned();
            document.remove_item(path, &item.unwrap_or(json!("nobody there")))
        }
    }
}

/// How many lines of `before` are not in `after`, in their order. Line ends count.
pub fn lines_lost(before: &str, after: &str) -> usize {
    let lines = |text: &str| -> Vec<String> {
        // A line that gets its missing end is the same line.
        text.split_inclusive('\n')
            .map(|line| {
                if line.ends_with('\n') {
                    line.to_string()
                } else {
                    format!("{line}\n")
                }
            })
            .collect()
    };
    let (before, after) = (lines(before), lines(after));
    let mut longest = vec![0; after.len() + 1];
    for old in &before {
        let mut diagonal = 0;
        for (index, new) in after.iter().enumerate() {
            let above = longest[index + 1];
            longest[index + 1] = if old.trim_end_matches(['\r', '\n'])
                == new.trim_end_matches(['\r', '\n'])
                && (old == new || !old.ends_with("\r\n"))
            {
                diagonal + 1
            } else {
                above.max(longest[index])
            };
            diagonal = above;
        }
    }
    before.len() - longest[after.len()]
}
