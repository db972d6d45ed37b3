//! Each subcommand as upstream has it.

use super::{Bench, seen};

const APPLY: &str =
    "exit 0\n--- out\n--- err\nhint: to apply the change, run `sudo tljh-config reload`\n";

#[test]
fn no_subcommand_prints_help_and_is_no_failure() {
    let seen = seen(&Bench::program().output().unwrap());
    assert!(
        seen.starts_with("exit 0\n--- out\nShow, change and apply the configuration"),
        "{seen}"
    );
    assert!(seen.ends_with("--- err\n"), "{seen}");
    for name in ["show", "set", "unset", "add-item", "remove-item", "reload"] {
        assert!(seen.contains(&format!("\n  {name} ")), "{name}");
    }
    assert!(!seen.contains("render-docs"));
}

#[test]
fn wrong_usage_ends_with_2() {
    for words in [
        "reload traefik",
        "set limits.memory",
        "frobnicate",
        "add-item a",
        "--nope show",
    ] {
        assert!(Bench::empty().run(words).starts_with("exit 2\n"), "{words}");
    }
}

#[test]
fn show_prints_the_file_as_it_is() {
    assert_eq!(Bench::empty().run("show"), "exit 0\n--- out\n{}\n--- err\n");
    assert_eq!(
        Bench::with("# nothing\n").run("show"),
        "exit 0\n--- out\n{}\n--- err\n"
    );
    let text = "# mine\nusers: {admin: [t]}  # who\n";
    assert_eq!(
        Bench::with(text).run("show"),
        format!("exit 0\n--- out\n{text}--- err\n")
    );
}

#[test]
fn show_names_the_place_of_a_syntax_error() {
    let seen = Bench::with("users:\n  admin: [t\nhttp: {}\n").refused("show");
    assert!(seen.contains("error: `FILE` is not valid YAML: "), "{seen}");
    assert!(seen.contains("line 3"), "{seen}");
    assert!(
        seen.ends_with("hint: correct the file: `tljh-config --config-path FILE edit`\n"),
        "{seen}"
    );
}

#[test]
fn set_makes_parents_and_says_what_applies_it() {
    let bench = Bench::empty();
    assert_eq!(bench.run("set limits.memory 2G"), APPLY);
    assert_eq!(bench.text(), "limits:\n  memory: 2G\n");
    assert_eq!(
        bench.run("set http.port 8080"),
        "exit 0\n--- out\n--- err\nhint: to apply the change, run `sudo tljh-config reload proxy`\n"
    );
    assert_eq!(
        bench.run("-q set limits.cpu 2"),
        "exit 0\n--- out\n--- err\n"
    );
    assert_eq!(
        bench.run("set limits.cpu 2"),
        "exit 0\n--- out\n--- err\n`limits.cpu` has that value already; nothing is changed\n"
    );
    assert_eq!(
        bench.text(),
        "limits:\n  memory: 2G\n  cpu: 2\nhttp:\n  port: 8080\n"
    );
}

#[test]
fn words_of_unknown_type_are_read_by_upstreams_rule() {
    let bench = Bench::empty();
    for (word, yaml) in [
        ("none", "null"),
        ("None", "null"),
        ("007", "7"),
        ("42", "42"),
        ("1.5", "1.5"),
        ("2.", "2.0"),
        ("TRUE", "true"),
        ("false", "false"),
        ("-5", "'-5'"),
        ("1e3", "'1e3'"),
        ("[a]", "'[a]'"),
        ("word", "word"),
    ] {
        let text = bench.edited(&format!("set services.plugin.key {word}"));
        assert_eq!(
            text,
            format!("services:\n  plugin:\n    key: {yaml}\n"),
            "{word}"
        );
    }
}

#[test]
fn unset_removes_the_key_and_parents_left_empty() {
    let bench = Bench::with("https:\n  tls:\n    key: /k\nhttp:\n  port: 81 # p\n");
    assert_eq!(
        bench.edited("unset https.tls.key"),
        "http:\n  port: 81 # p\n"
    );
    assert_eq!(bench.edited("unset http"), "");
    assert_eq!(
        bench.refused("unset http.port"),
        "exit 1\n--- out\n--- err\nerror: `http.port` is not set\nhint: see what is set: `sudo tljh-config show`\n"
    );
}

#[test]
fn items_are_added_once_and_removed_one_by_one() {
    let bench = Bench::empty();
    assert_eq!(bench.run("add-item users.admin ada"), APPLY);
    assert_eq!(bench.run("add-item users.admin bob"), APPLY);
    assert_eq!(
        bench.run("add-item users.admin ada"),
        "exit 0\n--- out\n--- err\n`ada` is already in `users.admin`; nothing is changed\n"
    );
    assert_eq!(bench.run("remove-item users.admin ada"), APPLY);
    assert_eq!(bench.text(), "users:\n  admin:\n  - bob\n");
    assert_eq!(
        bench.edited("remove-item users.admin bob"),
        "users:\n  admin: []\n"
    );
    for list in ["users.admin", "users.allowed"] {
        assert_eq!(
            bench.run(&format!("remove-item {list} bob")),
            format!("exit 0\n--- out\n--- err\n`bob` is not in `{list}`; nothing is changed\n")
        );
    }
    assert!(
        bench
            .refused("remove-item services.plugin.list bob")
            .contains("error: `services.plugin.list` is not set\n")
    );
    assert!(
        bench
            .refused("remove-item users bob")
            .contains("error: `users` is not a list\n")
    );
}

#[test]
fn no_validate_writes_what_the_check_refuses_and_the_last_flag_wins() {
    let bench = Bench::empty();
    assert_eq!(
        bench.refused("--no-validate --validate set http.port 99999"),
        "exit 1\n--- out\n--- err\nerror: not written: `http.port` is `99999`, wanted a port from 1 to 65535\n\
         hint: to write it without a check, run `tljh-config --config-path FILE --no-validate set http.port VALUE`\n"
    );
    assert_eq!(
        bench.edited("--validate --no-validate set http.port 99999"),
        "http:\n  port: 99999\n"
    );
}

#[test]
fn wrong_values_can_be_corrected_one_after_the_other() {
    let bench = Bench::with("http: {port: 0}\nlimits: {cpu: 0}\n");
    let seen = bench.refused("set limits.memory 1G");
    assert!(
        seen.contains("`http.port` is `0`") && seen.contains("`limits.cpu` is `0`"),
        "{seen}"
    );
    let seen = bench.run("set http.port 80");
    assert!(
        seen.contains("warn: still wrong in the file: `limits.cpu`"),
        "{seen}"
    );
    assert_eq!(bench.edited("unset limits.cpu"), "http: {port: 80}\n");
}

#[test]
fn sections_and_lists_are_not_replaced_by_a_word() {
    let bench = Bench::with("users: {admin: [ada]}\n");
    assert_eq!(
        bench.refused("set users.admin bob"),
        "exit 1\n--- out\n--- err\nerror: not written: `users.admin` is a list\n\
         hint: to add to it, run `tljh-config --config-path FILE add-item users.admin bob`\n"
    );
    assert!(
        bench
            .refused("set users none")
            .contains("`users` holds further keys, such as `users.allowed`")
    );
    assert!(bench.refused("set users..x 1").contains("`users..x`"));
}

#[test]
fn keys_without_effect_are_written_and_say_so() {
    let bench = Bench::empty();
    assert_eq!(
        bench.run("set traefik_api.ip 127.0.0.2"),
        "exit 0\n--- out\n--- err\nwarn: `traefik_api.ip` has no effect: tljh-proxy has no such API; the key is kept for \
         configurations of upstream's TLJH\n"
    );
    assert!(
        bench
            .run("set traefik_api.port 8100")
            .contains("warn: `traefik_api.port` has no effect")
    );
    assert_eq!(
        bench.text(),
        "traefik_api:\n  ip: 127.0.0.2\n  port: 8100\n"
    );
}

#[test]
fn a_place_that_cannot_be_edited_safely_is_left_to_the_admin() {
    let bench = Bench::with("x: &a [ada]\nusers:\n  allowed: *a\n");
    let seen = bench.refused("add-item users.allowed bob");
    assert!(
        seen.contains("error: the way in which the file writes `users.allowed` cannot be edited"),
        "{seen}"
    );
}

#[test]
fn manual_pages_and_completions_come_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = Bench::program()
        .arg("render-docs")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    let page = std::fs::read_to_string(folder.path().join("man/tljh-config-add-item.8")).unwrap();
    assert!(page.contains("users.admin"));
}
