//! Random documents with secrets in them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tljh_settings::edit::Document;
use tljh_settings::{redact, redact_text};

const SECRET: &str = "hunter";

fn secret() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("hunter2"),
        json!("hunter two # three"),
        json!("hunter\non\nlines\n"),
        json!("'hunter': [\"x"),
        json!(["hunter3", {"a": "hunter4"}]),
        json!({"a": "hunter5"}),
    ])
}

fn plain() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("word"),
        json!("https://hunter:x@host/path"),
        json!(80),
        json!(true),
        json!(null),
        json!(["ada", "bob"]),
    ])
}

fn tree() -> impl Strategy<Value = Value> {
    let entry = prop_oneof![
        (
            prop::sample::select(vec!["password", "API_TOKEN", "client-secret"]),
            secret()
        ),
        (prop::sample::select(vec!["a", "port", "url"]), plain()),
    ];
    let leaf = prop::collection::vec(entry, 1..4).prop_map(object);
    leaf.prop_recursive(3, 24, 3, |inner| {
        let name = prop::sample::select(vec!["auth", "services", "a", "b"]);
        prop::collection::vec((name, inner), 1..3).prop_map(object)
    })
}

fn object(entries: Vec<(&'static str, Value)>) -> Value {
    let named = entries
        .into_iter()
        .map(|(name, value)| (name.to_string(), value));
    Value::Object(named.collect::<Map<_, _>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_is_left_and_the_rest_is(tree in tree(), flow in any::<bool>()) {
        let text = if flow {
            tree.to_string() + "\n"
        } else {
            serde_yaml::to_string(&tree).unwrap()
        };
        let document = Document::parse(&text).unwrap();
        let masked = redact_text(&document, &document);
        prop_assert!(!masked.contains(SECRET), "{text}\nbecame\n{masked}");
        let read = Document::parse(&masked).unwrap();
        prop_assert_eq!(read.value(), &redact(document.value()));
    }
}
