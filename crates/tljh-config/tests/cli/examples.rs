//! The page for administrators, and the examples in the help.

use std::process::Command;

use super::{Bench, FILE_COMMANDS, seen};

/// Runs `line` as a shell would, on the bench's file in the place of the installed one.
fn run(bench: &Bench, line: &str) -> String {
    let program = format!(
        "{} --config-path {}",
        env!("CARGO_BIN_EXE_tljh-config"),
        bench.path().display()
    );
    let line = line
        .replace("sudo EDITOR", "EDITOR")
        .replace("sudo tljh-config", "tljh-config");
    let line = line.replace("tljh-config", &program);
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(bench.folder.path());
    seen(&shell.output().unwrap())
}

fn prepared() -> Bench {
    let bench =
        Bench::with("users:\n  admin: [teacher]\n  allowed: [ada, bob]\nlimits: {memory: 1G}\n");
    let folder = bench.folder.path();
    std::fs::write(folder.join("password.txt"), "hunter2\n").unwrap();
    std::fs::write(
        folder.join("class.yaml"),
        "limits: {memory: 2G, cpu: 1.5}\n",
    )
    .unwrap();
    bench
}

/// Whether an example needs more than a file: a service, an editor, a person.
fn needs_more(line: &str) -> bool {
    ["reload", "tljh-config edit", "| sudo tee"]
        .iter()
        .any(|word| line.contains(word))
}

#[test]
fn every_example_of_the_pages_works_as_written() {
    let first = include_str!("../../../../docs/tljh-config.md");
    let second = include_str!("../../../../docs/behind-another-proxy.md");
    for (page, at_least) in [(first, 15), (second, 6)] {
        try_page(page, at_least);
    }
}

fn try_page(page: &str, at_least: usize) {
    let bench = prepared();
    let mut count = 0;
    for line in page
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.contains("sudo tljh-config") && !needs_more(line))
    {
        let seen = run(&bench, line);
        assert!(seen.starts_with("exit 0\n"), "{line}: {seen}");
        count += 1;
    }
    assert!(count >= at_least, "only {count} examples");
}

#[test]
fn every_example_of_the_help_works_as_written() {
    for name in FILE_COMMANDS {
        let help = Bench::program()
            .args([name, "--help"])
            .env("COLUMNS", "200")
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let (_, examples) = help.split_once("Example").unwrap();
        let mut count = 0;
        for line in examples
            .lines()
            .filter(|line| line.contains("tljh-config "))
        {
            let bench = prepared();
            let seen = run(&bench, line.trim());
            assert!(seen.starts_with("exit 0\n"), "{line}: {seen}");
            count += 1;
        }
        assert!(count > 0, "{name}: {help}");
    }
}
