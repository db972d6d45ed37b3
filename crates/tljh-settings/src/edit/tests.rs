use serde_json::json;

use super::*;

fn edited(text: &str, edit: impl FnOnce(&mut Document) -> Result<(), EditError>) -> String {
    let mut document = Document::parse(text).unwrap();
    edit(&mut document).unwrap();
    document.to_string()
}

#[test]
fn texts_without_entries_get_their_first_in_block_style() {
    let text = |before: &str| edited(before, |file| file.set(&["http", "port"], &json!(81)));
    let entries = "http:\n  port: 81\n";
    for before in ["", "{}", "{}\n", "\n{}\n"] {
        assert_eq!(text(before).trim_start(), entries, "{before:?}");
    }
    assert_eq!(text("# head\n"), format!("# head\n{entries}"));
    assert_eq!(text("# head"), format!("# head\n{entries}"));
    assert_eq!(text("---\n{} # none\n"), format!("---\n# none\n{entries}"));
    assert_eq!(text("# a\r\n"), "# a\r\nhttp:\r\n  port: 81\r\n");
}

#[test]
fn comments_quotes_and_line_ends_stay() {
    let text = "users: # who\r\n  allowed:\r\n    - 'ada' # first\r\n\r\n  admin: [\"t\"]";
    let added = edited(text, |file| {
        file.add_item(&["users", "admin"], &json!("eve")).map(drop)
    });
    assert_eq!(added, text.replace("\"t\"]", "\"t\", eve]"));
}

#[test]
fn directives_markers_and_block_scalars_stay() {
    let text = "%YAML 1.2\n---\nmotd: |\n  # text\n\nhttp: {port: 80}\n...\n";
    let set = edited(text, |file| file.set(&["http", "port"], &json!(81)));
    assert_eq!(set, text.replace("80", "81"));
}

#[test]
fn text_that_reads_as_something_else_gets_quotes() {
    let set = edited("", |file| {
        file.set(&["users"], &json!({"admin": ["007", "12345", "no"]}))
    });
    let read = parse_yaml(&set).unwrap();
    assert_eq!(read["users"]["admin"], json!(["007", "12345", "no"]));
    assert!(set.contains("'12345'"), "{set}");
}

#[test]
fn a_place_behind_an_alias_is_refused_and_left_alone() {
    let text = "x: &a [ada]\nusers:\n  allowed: *a\n";
    let mut file = Document::parse(text).unwrap();
    let refused = file.add_item(&["users", "allowed"], &json!("eve"));
    assert!(matches!(refused, Err(EditError::Unsafe { .. })));
    let shared = file.add_item(&["x"], &json!("eve"));
    assert!(matches!(shared, Err(EditError::Unsafe { .. })));
    assert_eq!(file.to_string(), text);
}

#[test]
fn a_merged_key_is_overridden_where_it_is_set() {
    let text = "base: &b\n  port: 81\nhttp:\n  <<: *b\n";
    let set = edited(text, |file| file.set(&["http", "port"], &json!(82)));
    assert_eq!(set, format!("{text}  port: 82\n"));
}

#[test]
fn unset_takes_parents_that_it_leaves_empty() {
    let text = "https:\n  letsencrypt:\n    email: a@b.c\n# keep\nhttp:\n  port: 80\n";
    let unset = edited(text, |file| file.unset(&["https", "letsencrypt", "email"]));
    assert_eq!(unset, "# keep\nhttp:\n  port: 80\n");
    let mut file = Document::parse(text).unwrap();
    assert!(matches!(
        file.unset(&["https", "port"]),
        Err(EditError::Absent { .. })
    ));
}

#[test]
fn an_item_is_added_once_and_an_emptied_list_stays() {
    let text = "users:\n  allowed:\n  - 12345\n";
    let mut file = Document::parse(text).unwrap();
    assert!(
        !file
            .add_item(&["users", "allowed"], &json!("12345"))
            .unwrap()
    );
    assert_eq!(file.to_string(), text);
    file.remove_item(&["users", "allowed"], &json!("12345"))
        .unwrap();
    assert_eq!(file.get(&["users", "allowed"]), Some(&json!([])));
    let absent = file.remove_item(&["users", "allowed"], &json!("12345"));
    assert!(matches!(absent, Err(EditError::NoSuchItem { .. })));
}

#[test]
fn what_is_no_list_is_not_replaced_by_one() {
    let mut file = Document::parse("users: {allowed: ada}").unwrap();
    let refused = file.add_item(&["users", "allowed"], &json!("eve"));
    assert!(matches!(refused, Err(EditError::NotAList { .. })));
}
