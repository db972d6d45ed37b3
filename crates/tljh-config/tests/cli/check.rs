//! `check`: one line for a valid file, otherwise each mistake at its place.

use std::io::Write as _;
use std::process::Stdio;

use super::{Bench, seen};

#[test]
fn a_valid_file_is_one_line() {
    for bench in [
        Bench::empty(),
        Bench::with("# nothing\n"),
        Bench::with("limits: {memory: 2G}\n"),
    ] {
        assert_eq!(
            bench.run("check"),
            "exit 0\n--- out\n`FILE` is valid\n--- err\n"
        );
        assert_eq!(bench.run("check --json"), "exit 0\n--- out\n[]\n--- err\n");
    }
}

#[test]
fn a_wrong_value_is_shown_with_a_caret_and_ends_with_1() {
    let bench = Bench::with("http:\n  port: 99999 # high\n");
    assert_eq!(
        bench.refused("check"),
        "exit 1\n--- out\nerror: `http.port` is `99999`, wanted a port from 1 to 65535\n --> FILE:2:9\n  |\n\
         2 |   port: 99999 # high\n  |         ^^^^^\n--- err\nerror: `FILE` has 1 error\n"
    );
    let json = bench.refused("check --json");
    assert!(
        json.contains("\"key\": \"http.port\"") && json.contains("\"column\": 9"),
        "{json}"
    );
}

#[test]
fn warnings_alone_end_with_0() {
    let seen = Bench::with("my_plugin: 1\n").run("check");
    assert!(
        seen.starts_with("exit 0\n--- out\nwarning: unknown key `my_plugin`\n --> FILE:1:1\n"),
        "{seen}"
    );
    assert!(
        seen.ends_with("`FILE` is valid, with 1 warning\n--- err\n"),
        "{seen}"
    );
}

#[test]
fn a_misspelt_key_that_upstream_lets_through_is_an_error() {
    let seen = Bench::with("user: {admin: [ada]}\n").refused("check");
    assert!(seen.contains("hint: did you mean `users`?"), "{seen}");
}

#[test]
fn files_of_a_certificate_are_looked_at() {
    let bench =
        Bench::with("https:\n  enabled: true\n  tls: {cert: /no/cert.pem, key: /no/key.pem}\n");
    let seen = bench.refused("check");
    assert!(
        seen.contains("`https.tls.cert` names a file that cannot be read: No such file"),
        "{seen}"
    );
    assert!(
        seen.contains("FILE:3:15") && seen.contains("FILE:3:34"),
        "{seen}"
    );
    let off = Bench::with(&bench.text().replace("true", "false")).run("check");
    assert!(
        off.starts_with("exit 0\n") && off.contains("warning: `https.tls.cert`"),
        "{off}"
    );
}

#[test]
fn standard_input_and_other_files_need_no_root() {
    let mut command = Bench::program();
    command
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"limits: [\n")
        .unwrap();
    let seen = seen(&child.wait_with_output().unwrap());
    assert!(
        seen.starts_with("exit 1\n") && seen.contains("--> standard input:"),
        "{seen}"
    );
    let bench = Bench::with("a: [\n");
    let other = bench.folder.path().join("other.yaml");
    std::fs::write(&other, "limits:\n").unwrap();
    let seen = bench.run(&format!("check {}", other.display()));
    assert!(seen.starts_with("exit 0\n"), "{seen}");
}
