//! What the changing commands have beyond upstream's.

use serde_json::json;

use super::{Bench, FILE_COMMANDS, seen};

#[test]
fn a_secret_on_standard_input_stays_text_and_out_of_sight() {
    let bench = Bench::empty();
    let key = "auth.DummyAuthenticator.password";
    let seen = bench.run_with(&format!("set {key} --stdin"), "hunter2\n");
    assert_eq!(
        seen,
        "exit 0\n--- out\n--- err\nhint: to apply the change, run `sudo tljh-config reload`\n"
    );
    assert_eq!(
        bench.run(&format!("get {key}")),
        "exit 0\n--- out\nhunter2\n--- err\n"
    );
    bench.run_with(&format!("set {key} --stdin"), "0042");
    assert_eq!(
        bench.run(&format!("get {key}")),
        "exit 0\n--- out\n0042\n--- err\n"
    );
    bench.run_with(&format!("set --stdin {key}"), "two\nlines\n\n");
    assert_eq!(
        bench.run(&format!("get {key} --json")),
        "exit 0\n--- out\n\"two\\nlines\\n\"\n--- err\n"
    );
}

#[test]
fn a_flag_decides_what_the_value_is() {
    let bench = Bench::empty();
    for (words, value) in [
        ("set --string services.x.y 42", json!("42")),
        ("set --string services.x.y none", json!("none")),
        (
            "set --json services.x.y [1,{\"a\":null}]",
            json!([1, {"a": null}]),
        ),
        ("set --json services.x.y \"42\"", json!("42")),
    ] {
        bench.edited(words);
        let output = bench.command("get services.x.y --json").output().unwrap();
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read, value, "{words}");
    }
    assert!(
        bench
            .run_with("set --json --stdin users.admin", "[\"ada\", \"bob\"]")
            .starts_with("exit 0\n")
    );
    assert_eq!(
        bench.run("get users.admin"),
        "exit 0\n--- out\n- ada\n- bob\n--- err\n"
    );
}

#[test]
fn flags_that_exclude_each_other_are_wrong_usage() {
    for words in [
        "set --json --string a.b 1",
        "set --stdin a.b 1",
        "set --json a.b",
        "reload --dry-run",
        "--dry-run reload proxy",
    ] {
        assert!(Bench::empty().run(words).starts_with("exit 2\n"), "{words}");
    }
}

#[test]
fn wrong_json_is_told_without_repeating_it() {
    let bench = Bench::empty();
    let seen = bench.run_with(
        "set --json --stdin auth.DummyAuthenticator.password",
        "\"hunter2",
    );
    assert_eq!(
        seen,
        "exit 1\n--- out\n--- err\nerror: the value for `auth.DummyAuthenticator.password` is not valid JSON at line 1, column 8\n\
         hint: see examples: `tljh-config set --help`\n"
    );
    assert!(!bench.path().exists());
}

#[test]
fn a_list_set_as_json_is_checked_like_any_other() {
    let bench = Bench::empty();
    assert!(
        bench
            .refused("set --json users.admin [true]")
            .contains("`users.admin[0]`")
    );
    assert!(
        bench
            .refused("set --json http.port \"80\"")
            .contains("`http.port`")
    );
    assert!(
        bench
            .refused("set --json users 5")
            .contains("`users` must hold further keys")
    );
}

#[test]
fn many_items_come_and_go_together_or_not_at_all() {
    let bench = Bench::empty();
    bench.edited("add-item users.allowed ada bob eve ada");
    assert_eq!(
        bench.text(),
        "users:\n  allowed:\n  - ada\n  - bob\n  - eve\n"
    );
    assert_eq!(
        bench.run("add-item users.allowed bob kim eve"),
        "exit 0\n--- out\n--- err\n`bob`, `eve` are already in `users.allowed`\n\
         hint: to apply the change, run `sudo tljh-config reload`\n"
    );
    bench.edited("remove-item users.allowed ada nobody kim");
    assert_eq!(bench.text(), "users:\n  allowed:\n  - bob\n  - eve\n");
    bench.refused("add-item https.letsencrypt.domains hub.example.org a_b");
    bench.refused("add-item users.allowed zoe  max");
}

#[test]
fn apply_merges_a_file_in_one_step_and_keeps_the_comments() {
    let bench = Bench::with(
        "# head\nusers:\n  admin: [ada] # who\nlimits:\n  memory: 1G # each\n  cpu: 2\nhttp: {port: 81}\n",
    );
    let patch = "limits: {memory: 2G, cpu: null}\nusers:\n  admin: [ada, bob]\n  banned: [eve]\nbase_url: /x/\nhttps: {port: null}\n";
    assert_eq!(
        bench.run_with("apply -f -", patch),
        "exit 0\n--- out\n--- err\nhint: to apply the change, run `sudo tljh-config reload`\n"
    );
    let text = bench.text();
    for comment in ["# head\n", "# who\n", "# each\n"] {
        assert!(text.contains(comment), "{text}");
    }
    assert!(text.contains("  memory: 2G # each\n"), "{text}");
    assert_eq!(
        bench
            .run("show --json")
            .split_whitespace()
            .collect::<String>(),
        "exit0---out{\"users\":{\"admin\":[\"ada\",\"bob\"],\"banned\":[\"eve\"]},\"limits\":{\"memory\":\"2G\"},\
         \"http\":{\"port\":81},\"base_url\":\"/x/\"}---err"
    );
    assert_eq!(
        bench.run_with("apply -f -", patch),
        "exit 0\n--- out\n--- err\nthe configuration holds all that already; nothing is changed\n"
    );
    let file = bench.folder.path().join("patch.yaml");
    std::fs::write(&file, "http: {port: 82}\nlimits: {cpu: 3}\n").unwrap();
    assert_eq!(
        bench.run(&format!("apply -f {}", file.display())),
        "exit 0\n--- out\n--- err\nhint: to apply the change, run `sudo tljh-config reload && sudo tljh-config reload proxy`\n"
    );
}

#[test]
fn apply_writes_all_or_nothing() {
    let bench = Bench::with("http: {port: 81}\n");
    for patch in [
        "limits: {memory: 2G}\nhttp: {port: 0}\n",
        "limits: {memory: 2G}\nhttp.port: 82\n",
        "limit: {memory: 2G}\n",
        "- limits\n",
        "limits: [\n",
    ] {
        let seen = bench.run_with("apply -f -", patch);
        assert!(seen.starts_with("exit 1\n"), "{patch}: {seen}");
        assert_eq!(bench.text(), "http: {port: 81}\n");
    }
    assert!(
        bench
            .refused("apply -f /nowhere.yaml")
            .contains("could not read `/nowhere.yaml`")
    );
    assert!(bench.run("apply").starts_with("exit 2\n"));
}

#[test]
fn a_dry_run_prints_the_difference_and_writes_nothing() {
    let text = "# head\nlimits:\n  memory: 1G # each\nusers: {admin: [ada]}\n";
    let bench = Bench::with(text);
    for (words, line) in [
        ("--dry-run set limits.memory 2G", "+  memory: 2G # each\n"),
        ("set limits.memory 2G --dry-run", "-  memory: 1G # each\n"),
        ("--dry-run unset limits", "-limits:\n"),
        (
            "--dry-run add-item users.admin bob",
            "+users: {admin: [ada, bob]}\n",
        ),
        (
            "--dry-run remove-item users.admin ada",
            "+users: {admin: []}\n",
        ),
    ] {
        let seen = bench.run(words);
        assert!(
            seen.starts_with("exit 0\n--- out\n--- FILE\n+++ FILE (new)\n@@"),
            "{words}: {seen}"
        );
        assert!(seen.contains(line), "{words}: {seen}");
        assert!(
            seen.ends_with("--- err\ndry run: nothing is written\n"),
            "{words}: {seen}"
        );
    }
    let seen = bench.run_with("--dry-run apply -f -", "limits: {memory: 2G}\n");
    assert!(seen.contains("+  memory: 2G # each\n"), "{seen}");
    assert_eq!(bench.text(), text);
    assert_eq!(bench.names(), ["config.yaml"], "not even a lock");
}

#[test]
fn a_dry_run_fails_as_the_change_would_and_shows_no_secret() {
    let bench = Bench::with("auth: {DummyAuthenticator: {password: hunter2}}\n");
    assert!(
        bench
            .refused("--dry-run set http.port 0")
            .contains("error: not written: `http.port`")
    );
    assert!(
        bench
            .refused("--dry-run unset http.port")
            .contains("is not set")
    );
    let seen = bench.run_with(
        "--dry-run set --stdin auth.DummyAuthenticator.password",
        "hunter3",
    );
    assert!(
        seen.starts_with("exit 0\n")
            && seen.contains("+auth: {DummyAuthenticator: {password: '*** (changed)'}}\n"),
        "{seen}"
    );
    assert!(!seen.contains("hunter"), "{seen}");
    assert_eq!(
        bench.run("--dry-run set auth.DummyAuthenticator.password hunter2"),
        "exit 0\n--- out\n--- err\n`auth.DummyAuthenticator.password` has that value already; nothing is changed\n"
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let others = ["edit", "check", "reload", "history", "diff", "rollback"];
    for name in FILE_COMMANDS.iter().chain(&others) {
        let output = Bench::program().args([name, "--help"]).output().unwrap();
        let seen = seen(&output);
        assert!(
            seen.contains("Example") && seen.contains(&format!("tljh-config {name}")),
            "{seen}"
        );
    }
}
