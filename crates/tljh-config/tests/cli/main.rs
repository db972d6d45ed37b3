//! What people see: exit code, standard output and standard error together.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod changes;
mod check;
mod completions;
mod defects;
mod edit;
mod example;
mod examples;
mod files;
mod reading;
mod verbs;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The commands that need nothing but the file, and ask nothing.
const FILE_COMMANDS: [&str; 8] = [
    "show",
    "get",
    "set",
    "unset",
    "add-item",
    "remove-item",
    "apply",
    "example",
];

/// A folder with a configuration, and the program to run on it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A configuration that is not there yet.
    fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn with(text: &str) -> Self {
        let bench = Self::empty();
        fs::write(bench.path(), text).unwrap();
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The program with nothing of the tester's environment.
    fn program() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tljh-config"));
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Self::program();
        command
            .arg("--config-path")
            .arg(self.path())
            .args(words.split(' '));
        command
    }

    /// Runs `tljh-config --config-path FILE WORDS` and gives what is seen, with `FILE` for the path.
    fn run(&self, words: &str) -> String {
        let path = self.path().display().to_string();
        seen(&self.command(words).output().unwrap()).replace(&path, "FILE")
    }

    /// Runs a command with `input` on its standard input.
    fn run_with(&self, words: &str, input: &str) -> String {
        let path = self.path().display().to_string();
        seen(&fed(&mut self.command(words), input)).replace(&path, "FILE")
    }

    /// Runs a command that must succeed, and gives the file's text.
    fn edited(&self, words: &str) -> String {
        let seen = self.run(words);
        assert!(seen.starts_with("exit 0\n"), "{words}: {seen}");
        self.text()
    }

    /// Runs a command that must be refused and change nothing, and gives what is seen.
    fn refused(&self, words: &str) -> String {
        let before = fs::read_to_string(self.path()).ok();
        let seen = self.run(words);
        assert!(seen.starts_with("exit 1\n"), "{words}: {seen}");
        assert_eq!(fs::read_to_string(self.path()).ok(), before, "{words}");
        seen
    }

    /// Names in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Runs a command with `input` on its standard input.
fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that asks nothing may be gone before it is told.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn seen(output: &Output) -> String {
    let code = output
        .status
        .code()
        .map_or("signal".to_string(), |code| code.to_string());
    format!(
        "exit {code}\n--- out\n{}--- err\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
