//! A double of the machine's child processes for tests.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::command::{CommandError, Invocation, Output, Runner};

/// Records what would run, and answers with exit code 0 and prepared standard output.
#[derive(Debug, Default)]
pub struct Recorder {
    lines: RefCell<Vec<String>>,
    answers: RefCell<VecDeque<(String, Output)>>,
}

impl Recorder {
    /// The next command whose line begins with `start` is answered with `code` and `stdout`.
    pub fn answer(&self, start: &str, code: i32, stdout: &str) {
        let output = Output {
            code: Some(code),
            stdout: stdout.into(),
            stderr: String::new(),
        };
        self.answers.borrow_mut().push_back((start.into(), output));
    }

    /// The lines that were run so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }
}

impl Runner for Recorder {
    fn output(&self, invocation: &Invocation) -> Result<Output, CommandError> {
        let line = invocation.line();
        let mut answers = self.answers.borrow_mut();
        let prepared = answers
            .iter()
            .position(|(start, _)| line.starts_with(start.as_str()));
        let output = prepared
            .and_then(|at| answers.remove(at))
            .map(|(_, output)| output);
        self.lines.borrow_mut().push(line);
        Ok(output.unwrap_or(Output {
            code: Some(0),
            ..Output::default()
        }))
    }
}
