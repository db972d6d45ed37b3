//! One table of behaviour, run against this program or against upstream's.
//!
//! `TLJH_CONFIG_PEER=/path/to/tljh-config cargo test -p tljh-config --test peer` runs upstream's real tool, as
//! root, which it demands. Where a row has a `peer` part, the two differ on purpose: it names the defect of
//! upstream's that this program does not have, or the addition, and records what upstream's tool does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;
mod table_of_values;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// What a program leaves behind.
#[derive(Clone, Copy)]
struct Outcome {
    exit: i32,
    /// The file as YAML whose values count, `None` for no file; with `exactly` its very text.
    after: Option<&'static str>,
    exactly: bool,
    /// Words that are printed, in any case of letters.
    says: &'static [&'static str],
}

#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    before: Option<&'static str>,
    words: &'static str,
    outcome: Outcome,
    /// Why upstream's tool differs, and what it does.
    peer: Option<(&'static str, Outcome)>,
}

/// A row on which both agree, until [`Row::but_peer`] says otherwise.
const fn row(
    name: &'static str,
    before: Option<&'static str>,
    words: &'static str,
    exit: i32,
    after: Option<&'static str>,
) -> Row {
    Row {
        name,
        before,
        words,
        outcome: Outcome {
            exit,
            after,
            exactly: false,
            says: &[],
        },
        peer: None,
    }
}

/// A row in which the file stays as it is.
const fn kept(
    name: &'static str,
    before: Option<&'static str>,
    words: &'static str,
    exit: i32,
) -> Row {
    row(name, before, words, exit, before)
}

impl Row {
    const fn says(mut self, says: &'static [&'static str]) -> Self {
        self.outcome.says = says;
        self
    }

    const fn exactly(mut self) -> Self {
        self.outcome.exactly = true;
        self
    }

    const fn but_peer(
        mut self,
        why: &'static str,
        exit: i32,
        after: Option<&'static str>,
        says: &'static [&'static str],
    ) -> Self {
        let outcome = Outcome {
            exit,
            after,
            exactly: false,
            says,
        };
        self.peer = Some((why, outcome));
        self
    }

    /// What is wrong with `program`'s behaviour; empty if nothing is.
    fn failures(&self, program: &str, expected: &Outcome) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        if let Some(before) = self.before {
            std::fs::write(&path, before).unwrap();
        }
        let output = Command::new(program)
            .env_remove("RUST_LOG")
            .arg("--config-path")
            .arg(&path)
            .args(shlex::split(self.words).unwrap())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let said = said.concat();
        let after = std::fs::read_to_string(&path).ok();
        let mut failures = Vec::new();
        if output.status.code() != Some(expected.exit) {
            failures.push(format!(
                "{}, wanted exit code {}",
                output.status, expected.exit
            ));
        }
        let same = match (&after, expected.after) {
            (Some(after), Some(wanted)) if expected.exactly => after == wanted,
            (Some(after), Some(wanted)) => values(after) == values(wanted),
            (None, None) => true,
            _ => false,
        };
        if !same {
            failures.push(format!("left {after:?}, wanted {:?}", expected.after));
        }
        for words in expected.says {
            if !said.to_lowercase().contains(&words.to_lowercase()) {
                failures.push(format!("did not say {words:?}"));
            }
        }
        if !failures.is_empty() {
            failures.push(format!("it said: {said}"));
        }
        failures
    }
}

/// The values of a file; a text that is no YAML stands for itself.
fn values(text: &str) -> Value {
    match tljh_settings::parse_yaml(text) {
        Ok(Value::Null) => json!({}),
        Ok(value) => value,
        Err(_) => text.into(),
    }
}

#[test]
fn every_row_of_the_table_holds() {
    let peer = std::env::var_os("TLJH_CONFIG_PEER").map(PathBuf::from);
    let program = peer
        .clone()
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_tljh-config").into());
    let mut wrong = Vec::new();
    let mut different = 0;
    let rows: Vec<&Row> = table::ROWS.iter().chain(table_of_values::ROWS).collect();
    for row in &rows {
        let expected = match &row.peer {
            Some((why, outcome)) => {
                assert!(!why.is_empty(), "{}", row.name);
                different += 1;
                if peer.is_some() {
                    outcome
                } else {
                    &row.outcome
                }
            }
            None => &row.outcome,
        };
        let failures = row.failures(program.to_str().unwrap(), expected);
        if !failures.is_empty() {
            let words = row.words;
            wrong.push(format!(
                "{} (`{words}`):\n  {}",
                row.name,
                failures.join("\n  ")
            ));
        }
    }
    let count = rows.len();
    assert!(
        wrong.is_empty(),
        "{} of {count} rows fail ({different} differ on purpose):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names: Vec<&str> = table::ROWS
        .iter()
        .chain(table_of_values::ROWS)
        .map(|row| row.name)
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
