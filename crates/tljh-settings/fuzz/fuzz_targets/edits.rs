//! Any text is diagnosed without a fall, and an edit of it does what it says or is refused.
//!
//! The last three bytes choose the edit, the rest is the text, so that the test corpus serves as seeds.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Edit, apply, expected, get, lines_lost};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tljh_settings::edit::{Document, EditError};
use tljh_settings::{diagnose, parse_yaml, render_diagnostics};

fuzz_target!(|data: &[u8]| {
    let Some((text, &[verb, place, value])) = data.split_last_chunk::<3>() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    render_diagnostics("config.yaml", &diagnose(text), false);
    let Ok(before) = Document::parse(text) else {
        return;
    };
    let mut paths = vec![vec!["users", "allowed"], vec!["http", "port"], vec!["new"]];
    collect(before.value(), &mut Vec::new(), &mut paths);
    let path = paths[usize::from(place) % paths.len()].clone();
    if path.iter().any(|name| name.is_empty()) {
        return;
    }
    let value = [
        json!("eve"),
        json!(80),
        json!(null),
        json!("a: b, c # d"),
        json!("x\ny"),
        json!([]),
        json!(["x", 1]),
        json!({"k": {"l": 2}}),
    ][usize::from(value) % 8]
        .clone();
    let edit = match verb % 4 {
        0 => Edit::Set(path, value),
        1 => Edit::Unset(path),
        2 if !value.is_array() && !value.is_object() => Edit::Add(path, value),
        2 => return,
        _ => Edit::Remove(path, usize::from(value_index(&value))),
    };
    let mut after = before.clone();
    let expected = expected(before.value(), &edit);
    match (apply(&mut after, &edit), expected) {
        (Ok(()), Some(expected)) => {
            assert_eq!(after.value(), &expected, "{edit:?}");
            let read = match parse_yaml(&after.to_string()) {
                Ok(Value::Null) => json!({}),
                Ok(read) => read,
                Err(error) => panic!("{edit:?}: {error}\n{after}"),
            };
            assert_eq!(read, expected, "{edit:?}");
            if adds(before.value(), &edit) && !text.replace("\r\n", "").contains('\r') {
                let lost = lines_lost(text, &after.to_string());
                assert!(lost <= 1, "{edit:?} costs {lost} lines:\n{after}");
            }
        }
        (Ok(()), None) => panic!("{edit:?} should be refused:\n{after}"),
        (Err(error), expected) => {
            assert_eq!(after.to_string(), text);
            let shared = text.contains(['*', '&', '!', '\r', '\t', '?', '|', '>']);
            let refused = matches!(error, EditError::Unsafe { .. });
            assert!(
                expected.is_none() || (refused && shared),
                "{edit:?}: {error}"
            );
        }
    }
});

fn value_index(value: &Value) -> u8 {
    value.to_string().len().to_le_bytes()[0] % 3
}

/// Whether the edit replaces nothing.
fn adds(before: &Value, edit: &Edit<'_>) -> bool {
    let (Edit::Set(path, _) | Edit::Add(path, _)) = edit else {
        return false;
    };
    let there = |length: usize| get(before, &path[..length]);
    (1..path.len())
        .all(|length| there(length).is_none_or(|value| value.is_object() && value != &json!({})))
        && match there(path.len()) {
            None => true,
            Some(Value::Array(items)) => matches!(edit, Edit::Add(..)) && !items.is_empty(),
            _ => false,
        }
}

fn collect<'value>(
    value: &'value Value,
    path: &mut Vec<&'value str>,
    paths: &mut Vec<Vec<&'value str>>,
) {
    if let Value::Object(object) = value {
        for (name, value) in object.iter().take(20) {
            path.push(name);
            paths.push(path.clone());
            paths.push([path.as_slice(), &["new"]].concat());
            collect(value, path, paths);
            path.pop();
        }
    }
}
