use serde_json::json;

use super::*;

/// Words on the command line, and what each kind reads in them; `None` for a refusal.
#[test]
fn words_are_read_as_their_kind_wants_them() {
    let integer = Kind::Integer(1, 1000);
    let text = |word: &str| Some(json!(word));
    for (kind, word, wanted) in [
        (Kind::Text, "007", text("007")),
        (Kind::Text, "0x10", text("0x10")),
        (Kind::Text, "1e3", text("1e3")),
        (Kind::Text, "true", text("true")),
        (
            Kind::Text,
            "99999999999999999999999",
            text("99999999999999999999999"),
        ),
        (Kind::Text, "2024-01-01", text("2024-01-01")),
        (Kind::Text, "null", text("null")),
        (Kind::Text, "~", text("~")),
        (Kind::Text, "", None),
        (integer, "007", Some(json!(7))),
        (integer, "-5", None),
        (integer, "1_000", None),
        (integer, "0x10", None),
        (integer, "1e3", None),
        (integer, "1.0", None),
        (integer, " 5", None),
        (integer, "\u{663}", None),
        (integer, "99999999999999999999999", None),
        (Kind::Port, "080", Some(json!(80))),
        (Kind::Port, "15001", None),
        (Kind::Cores, ".5", Some(json!(0.5))),
        (Kind::Cores, "2", Some(json!(2.0))),
        (Kind::Cores, "1.", Some(json!(1.0))),
        (Kind::Cores, "-1", None),
        (Kind::Cores, "nan", None),
        (Kind::Cores, ".", None),
        (Kind::Switch, "True", Some(json!(true))),
        (Kind::Switch, "yes", None),
        (Kind::Switch, "on", None),
        (Kind::Switch, "1", None),
        (Kind::Memory, "512M", Some(json!(512 << 20))),
        (Kind::Memory, "1048576", Some(json!(1 << 20))),
        (Kind::Memory, "+2G", None),
        (Kind::Memory, "2 G", None),
        (Kind::Memory, "\u{662}G", None),
        (Kind::Address, "10.1", None),
        (Kind::Address, "::1", text("::1")),
        (Kind::Email, "a@b\nc", None),
        (Kind::Socket, "", text("")),
        (Kind::Socket, "/run/a-b_c/1.sock", text("/run/a-b_c/1.sock")),
        (Kind::Socket, "/run/$x", None),
        (
            Kind::Socket,
            &format!("/{}", "s".repeat(106)),
            text(&format!("/{}", "s".repeat(106))),
        ),
        (Kind::Socket, &format!("/{}", "s".repeat(107)), None),
        (Kind::Group, "www-data", text("www-data")),
        (Kind::Group, "33", text("33")),
        (Kind::Group, "", None),
        (Kind::File, "/a b", text("/a b")),
    ] {
        let read = kind.read(&kind.parse_word(word)).ok();
        assert_eq!(read, wanted, "{kind:?} {word:?}");
    }
}

#[test]
fn addresses_and_networks_of_both_families_are_one_list() {
    let read = |word: &str| {
        let value = json!([Kind::Networks.parse_word(word)]);
        Kind::Networks.read(&value).is_ok_and(|read| read == value)
    };
    for word in [
        "192.0.2.1",
        "10.0.0.0/8",
        "10.1.2.3/8",
        "::1",
        "2001:db8::/32",
        "0.0.0.0/0",
    ] {
        assert!(read(word), "{word}");
    }
    for word in [
        "10",
        "10.0",
        "10.0.0.0/33",
        "10.0.0.0/",
        "::/129",
        "nginx",
        "",
        "none",
    ] {
        assert!(!read(word), "{word}");
    }
}

#[test]
fn names_stay_as_they_are_typed_or_are_refused() {
    let read = |word: &str| {
        Kind::Names
            .read(&json!([Kind::Names.parse_word(word)]))
            .is_ok()
    };
    for word in [
        "12345", "007", "0x10", "1_000", "true", "null", "~", "no", "x y", "\u{674e}",
    ] {
        assert_eq!(Kind::Names.parse_word(word), json!(word));
        assert!(read(word), "{word}");
    }
    for word in ["", " ada", "ada ", "a\nb", "\u{a0}ada"] {
        assert!(!read(word), "{word:?}");
    }
}
