//! Ugly files, and what edits do to them: `tests/corpus/*.yaml`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use common::{Edit, apply, expected, get, lines_lost};
use serde_json::{Value, json};
use tljh_settings::edit::{Document, EditError};
use tljh_settings::parse_yaml;

/// Edits that are refused, because the value stands where it is shared with others: the file, and how the
/// path begins.
const REFUSED: &[(&str, &[&str])] = &[
    ("anchors", &["limits"]),
    ("anchors", &["users", "admin"]),
    ("merge", &["limits", "memory"]),
];

fn corpus() -> Vec<(String, String)> {
    let folder = Path::new("tests/corpus");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The edits, and how many lines of the file each may cost.
fn edits(before: &Value) -> Vec<(Edit<'static>, usize)> {
    let mut edits = vec![
        (Edit::Set(vec!["limits", "memory"], json!("3G")), 1),
        (Edit::Set(vec!["limits", "cpu"], json!(1.5)), 1),
        (Edit::Set(vec!["http", "port"], json!(8081)), 1),
        (
            Edit::Set(vec!["https", "letsencrypt", "email"], json!("a@b.c")),
            1,
        ),
        (Edit::Set(vec!["new", "section", "key"], json!("007")), 1),
        (Edit::Set(vec!["top"], json!("a: b # c")), 1),
        (Edit::Set(vec!["auth", "type"], json!("ldap2")), 1),
        (
            Edit::Set(
                vec!["users", "extra_user_groups", "dialout"],
                json!(["ada", "eve"]),
            ),
            1,
        ),
        (
            Edit::Set(
                vec!["services"],
                json!({"cull": {"timeout": 1, "every": 2}}),
            ),
            99,
        ),
        (Edit::Set(vec!["users"], json!(null)), 99),
        (Edit::Add(vec!["users", "allowed"], json!("eve")), 1),
        (Edit::Add(vec!["users", "allowed"], json!("12345")), 1),
        (Edit::Add(vec!["users", "admin"], json!("no, yes")), 1),
        (
            Edit::Add(vec!["users", "extra_user_groups", "video"], json!("eve")),
            1,
        ),
        (Edit::Add(vec!["new", "list"], json!("x")), 1),
    ];
    for path in [
        &["limits", "memory"][..],
        &["limits"],
        &["http", "port"],
        &["users"],
        &["users", "allowed"],
        &["users", "admin"],
        &["users", "extra_user_groups", "video"],
        &["auth", "LDAPAuthenticator", "lookup", "attributes", "mail"],
        &["services", "backup", "jobs"],
        &["kept"],
        &["motd"],
        &["last"],
    ] {
        if get(before, path).is_some() {
            edits.push((Edit::Unset(path.to_vec()), 99));
        }
    }
    for path in [
        &["users", "allowed"][..],
        &["users", "admin"],
        &["users", "extra_user_groups", "video"],
        &["services", "backup", "jobs"],
    ] {
        let length = get(before, path)
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        for index in [0, length / 2, length.saturating_sub(1)] {
            if index < length {
                let cost = if length == 1 { 2 } else { 3 };
                edits.push((Edit::Remove(path.to_vec(), index), cost));
            }
        }
    }
    edits
}

fn path_of<'edit>(edit: &'edit Edit<'_>) -> &'edit [&'edit str] {
    match edit {
        Edit::Set(path, _) | Edit::Unset(path) | Edit::Add(path, _) | Edit::Remove(path, _) => path,
    }
}

#[test]
fn the_corpus_is_read_as_another_parser_reads_it() {
    for (name, text) in corpus() {
        let other: Value =
            match serde_yaml::from_str::<serde_yaml::Value>(text.trim_start_matches('\u{feff}')) {
                Ok(mut other) => {
                    other.apply_merge().unwrap();
                    match serde_json::to_value(&other) {
                        Ok(other) => other,
                        Err(_) => continue,
                    }
                }
                // libyaml takes a tab before a comment for indentation.
                Err(_) if name == "tabs-in-comments" => continue,
                // libyaml takes a tab before a comment for indentation.
                Err(_) if name == "tabs-in-comments" => continue,
                Err(error) => panic!("{name}: {error}"),
            };
        let ours = parse_yaml(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Where names are wanted, a number stays as it is written.
        if name != "numbers-as-keys" {
            assert_eq!(ours, other, "{name}");
        }
    }
}

#[test]
fn edits_of_the_corpus_do_what_they_say_and_leave_other_lines_alone() {
    let files = corpus();
    assert!(files.len() >= 30, "only {}", files.len());
    let (mut done, mut refused, mut failures) = (0, 0, Vec::new());
    for (name, text) in &files {
        let before = Document::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (edit, cost) in edits(before.value()) {
            let mut after = before.clone();
            let Some(expected) = expected(before.value(), &edit) else {
                assert!(apply(&mut after, &edit).is_err(), "{name}: {edit:?}");
                continue;
            };
            let may_be_refused = REFUSED
                .iter()
                .any(|(file, path)| file == name && path_of(&edit).starts_with(path));
            match apply(&mut after, &edit) {
                Ok(()) => {
                    done += 1;
                    let read = match parse_yaml(&after.to_string()).unwrap() {
                        Value::Null => json!({}),
                        read => read,
                    };
                    assert_eq!(read, expected, "{name}: {edit:?}\n{after}");
                    let lost = lines_lost(text, &after.to_string());
                    if lost > cost {
                        failures.push(format!(
                            "{name}: {edit:?} costs {lost} lines, not {cost}:\n{after}"
                        ));
                    }
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(&after.to_string(), text);
                    if !may_be_refused || !matches!(error, EditError::Unsafe { .. }) {
                        failures.push(format!("{name}: {edit:?}: {error}"));
                    }
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{}\n{done} done, {refused} refused",
        failures.join("\n")
    );
    assert!(done > 20 * refused, "{done} done, {refused} refused");
}
