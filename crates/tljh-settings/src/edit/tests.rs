use serde_json::json;

use super::*;
use crate::parse_yaml;

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

/// Texts as people leave them behind.
const UGLY: &[&str] = &[
    "",
    "# only a comment",
    "{}\n# after\n",
    "---\n# in\n...\n",
    "users:\n\n",
    "users: null\nlimits: ~ # none\n",
    "users:\n  allowed:\n    - ada # first\n    # about bob\n    - 'bob'\n\n  admin: [teacher, \"x\"]\n# tail\n",
    "users:\n  allowed:\n  - ada\n  - bob",
    "users: {allowed: [ada, bob], admin: []}\nhttp: {port: 8080} # x\n",
    "users:\r\n  allowed: # who\r\n    - ada\r\nhttp:\r\n  port: 80 # p\r\n",
    "limits:\n  memory: 1G\r\nusers:\n  allowed: [ada] # mixed\n",
    "users:\n  allowed:\n   [ ada,\n     bob, # c\n   ]\n\nlimits:\n     memory: 1G   # mem\n\n     cpu: 2\n",
    "# head\n\nusers:\n  # c\n  allowed:\n  # d\n  - ada\n\n\n  - bob\n# between\nlimits:\n  memory: 1G\n...\n",
    "\"users\":\n  'allowed': [ada] # q\n",
    "? users\n: allowed: [ada] # explicit\n",
    "limits:\n  memory: 1G\n  # trailing in limits\n\n# for users\nusers:\n  allowed: [ada]\n",
    "%YAML 1.2\n---\nlimits: {memory: 1G} # d\n",
    "motd: |\n  hello\n  # text\n\nlimits:\n  memory: 1G # m\n",
    "\u{feff}limits: # mark\n  memory: 1G\n",
    "base: &b # anchor\n  port: 81\nhttp:\n  <<: *b\n",
    "x: &a [ada] # anchor\nusers:\n  allowed: *a\n",
    "users:\n  allowed:\n    - ada\n    - 12345 # digits\n  extra_user_groups:\n    12: [ada]\n",
    "auth:\n  X:\n    t: >-\n      folded\n      text\n    k: v # k\n",
    "a: \"two\n  lines\" # a\nhttp:    {  port  :  80  }\n",
    "users:\n    allowed:\n            -   ada   # far\n            -   bob\n",
    "users:\n  allowed: !!seq [ada] # tag\n",
    "é: ü # ö\nusers: {allowed: [\"\u{1f600}\"]}\n",
    "a: 'it''s' # '\nb: \"#\" # \"\n",
    "users:\n  allowed:\n    - - nested # list\n    - {a: b}\n",
    "limits:\n  memory: 1G\n\n\n\n\n",
];

#[test]
fn ugly_files_keep_every_comment_or_are_left_alone() {
    let comments = |text: &str| text.matches('#').count();
    let mut edited = 0;
    for text in UGLY {
        let before = Document::parse(text).unwrap();
        for path in [
            ["limits", "memory"],
            ["http", "port"],
            ["users", "allowed"],
            ["new", "key"],
        ] {
            let mut file = before.clone();
            let result = match path {
                ["users", _] => file.add_item(&path, &json!("eve")).map(drop),
                _ => file.set(&path, &json!(8081)),
            };
            match result {
                Ok(()) => {
                    edited += 1;
                    assert_eq!(
                        comments(&file.to_string()),
                        comments(text),
                        "{text}\nbecame\n{file}"
                    );
                    let reread = parse_yaml(&file.to_string()).unwrap();
                    assert_eq!(&reread, file.value());
                }
                Err(error) => {
                    assert!(matches!(error, EditError::Unsafe { .. }), "{text}: {error}");
                    assert!(
                        text.contains(['*', '!', '.']),
                        "{text} should be editable at {path:?}"
                    );
                    assert_eq!(&file.to_string(), text);
                }
            }
        }
    }
    assert!(edited > 100, "only {edited}");
}

#[test]
fn numbers_can_be_set_where_names_are_wanted() {
    for value in [json!(80), json!([12345, 1.5]), json!([-1, 1e21])] {
        let set = edited("", |file| file.set(&["users", "allowed"], &value));
        assert_eq!(parse_yaml(&set).unwrap()["users"]["allowed"], value);
    }
    let mut file = Document::parse("users: {allowed: [0x10]}\n").unwrap();
    assert!(
        !file
            .add_item(&["users", "allowed"], &json!("0x10"))
            .unwrap()
    );
}
