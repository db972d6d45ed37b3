//! Random documents and random edits: the result is what the values say, and other lines stay.

mod common;

use common::{Edit, apply, expected, get, lines_lost};
use proptest::prelude::*;
use serde_json::{Value, json};
use tljh_settings::edit::Document;
use tljh_settings::parse_yaml;

/// A value and how its text looks.
#[derive(Debug, Clone)]
enum Node {
    Scalar(&'static str),
    List {
        items: Vec<&'static str>,
        flow: bool,
        commented: bool,
        indented: bool,
    },
    Mapping {
        entries: Vec<Entry>,
        flow: bool,
    },
}

#[derive(Debug, Clone)]
struct Entry {
    key: &'static str,
    node: Node,
    comment_above: bool,
    comment_beside: bool,
    blank_above: bool,
}

const KEYS: &[&str] = &[
    "users", "allowed", "limits", "'quoted'", "\"x y\"", "memory", "12", "a-b",
];
const SCALARS: &[&str] = &[
    "ada", "'bob'", "\"c#d\"", "12345", "007", "1.5", "true", "~", "2G", "a: b", "'it''s'", "/x/",
    "x y",
];

fn scalar() -> impl Strategy<Value = &'static str> {
    // `a: b` is one word only in quotes.
    prop::sample::select(SCALARS).prop_map(|text| if text == "a: b" { "'a: b'" } else { text })
}

fn node() -> impl Strategy<Value = Node> {
    let list = (
        prop::collection::vec(scalar(), 0..4),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(items, flow, commented, indented)| Node::List {
            items,
            flow,
            commented,
            indented,
        });
    let leaf = prop_oneof![2 => scalar().prop_map(Node::Scalar), 2 => list];
    leaf.prop_recursive(2, 12, 4, |inner| {
        (entries(inner), any::<bool>()).prop_map(|(entries, flow)| Node::Mapping { entries, flow })
    })
}

fn entries(inner: impl Strategy<Value = Node>) -> impl Strategy<Value = Vec<Entry>> {
    let key = prop::sample::subsequence(KEYS, 0..5);
    let looks = (inner, any::<bool>(), any::<bool>(), any::<bool>());
    (key, prop::collection::vec(looks, 5)).prop_map(|(keys, looks)| {
        keys.into_iter()
            .zip(looks)
            .map(
                |(key, (node, comment_above, comment_beside, blank_above))| Entry {
                    key,
                    node,
                    comment_above,
                    comment_beside,
                    blank_above,
                },
            )
            .collect()
    })
}

fn flow(node: &Node) -> String {
    match node {
        Node::Scalar(text) => (*text).to_string(),
        Node::List { items, .. } => format!("[{}]", items.join(", ")),
        Node::Mapping { entries, .. } => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key, flow(&entry.node)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn write(entries: &[Entry], indent: usize, step: usize, out: &mut Vec<String>) {
    let pad = " ".repeat(indent);
    for entry in entries {
        if entry.blank_above {
            out.push(String::new());
        }
        if entry.comment_above {
            out.push(format!("{pad}# about {}", entry.key));
        }
        let beside = if entry.comment_beside {
            "  # beside"
        } else {
            ""
        };
        match &entry.node {
            Node::Mapping {
                entries,
                flow: false,
            } if !entries.is_empty() => {
                out.push(format!("{pad}{}:{beside}", entry.key));
                write(entries, indent + step, step, out);
            }
            Node::List {
                items,
                flow: false,
                commented,
                indented,
            } if !items.is_empty() => {
                out.push(format!("{pad}{}:{beside}", entry.key));
                let pad = if *indented {
                    " ".repeat(indent + step)
                } else {
                    pad.clone()
                };
                for item in items {
                    if *commented {
                        out.push(format!("{pad}# item"));
                    }
                    out.push(format!("{pad}- {item}"));
                }
            }
            other => out.push(format!("{pad}{}: {}{beside}", entry.key, flow(other))),
        }
    }
}

fn document() -> impl Strategy<Value = String> {
    (
        entries(node()),
        2..5usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(entries, step, marker, tail, newline, carriage)| {
            let mut lines = Vec::new();
            if marker {
                lines.push("---".to_string());
            }
            write(&entries, 0, step, &mut lines);
            if tail {
                lines.push("# the end".to_string());
            }
            let end = if carriage { "\r\n" } else { "\n" };
            let text = lines.join(end);
            if newline && !text.is_empty() {
                text + end
            } else {
                text
            }
        })
}

fn edit() -> impl Strategy<Value = Edit<'static>> {
    let names: &[&str] = &[
        "users", "allowed", "limits", "quoted", "x y", "memory", "12", "a-b", "new", "on", "1.5",
    ];
    let path = prop::collection::vec(prop::sample::select(names), 1..4);
    let value = prop::sample::select(vec![
        json!("eve"),
        json!("12345"),
        json!("007"),
        json!(80),
        json!(1.5),
        json!(true),
        json!(null),
        json!("yes"),
        json!("# no comment"),
        json!("a: b"),
        json!(""),
        json!("[x]"),
        json!("- x"),
        json!("~"),
        json!("*a"),
        json!("tab\there"),
        json!("lines\nof\ntext"),
        json!("été"),
    ]);
    prop_oneof![
        (path.clone(), value.clone()).prop_map(|(path, value)| Edit::Set(path, value)),
        path.clone().prop_map(Edit::Unset),
        (path.clone(), value).prop_map(|(path, value)| Edit::Add(path, value)),
        (path, 0..4usize).prop_map(|(path, index)| Edit::Remove(path, index)),
    ]
}

/// Whether the edit replaces nothing that may take more than a line.
fn replaces_at_most_a_line(before: &Value, edit: &Edit<'_>) -> bool {
    let (path, list_grows) = match edit {
        Edit::Set(path, _) => (path, false),
        Edit::Add(path, _) => (path, true),
        _ => return false,
    };
    let replaced = (1..=path.len())
        .filter_map(|length| get(before, &path[..length]).map(|value| (length, value)))
        .find(|(_, value)| !value.is_object());
    match replaced {
        None => get(before, path).is_none(),
        Some((length, Value::Array(_))) => list_grows && length == path.len(),
        Some((_, Value::String(text))) => !text.contains('\n'),
        Some(_) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_equal_the_model_and_leave_other_lines_alone(
        text in document(),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let mut document = Document::parse(&text).unwrap();
        for edit in &edits {
            let before = document.clone();
            match expected(before.value(), edit) {
                None => {
                    prop_assert!(apply(&mut document, edit).is_err());
                    prop_assert_eq!(document.to_string(), before.to_string());
                }
                Some(expected) => {
                    let result = apply(&mut document, edit);
                    prop_assert!(result.is_ok(), "{edit:?} on {before}: {result:?}");
                    prop_assert_eq!(document.value(), &expected);
                    let read = match parse_yaml(&document.to_string()).unwrap() {
                        Value::Null => json!({}),
                        read => read,
                    };
                    prop_assert_eq!(&read, &expected);
                    let lost = lines_lost(&before.to_string(), &document.to_string());
                    if replaces_at_most_a_line(before.value(), edit) {
                        prop_assert!(lost <= 1, "{edit:?} on\n{before}\nbecame\n{document}");
                    }
                }
            }
        }
    }
}
