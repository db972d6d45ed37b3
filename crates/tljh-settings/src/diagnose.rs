//! What is wrong with a text, and where in it.

use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use crate::check::{Finding, Severity, check};
use crate::mask::{masked_line, masked_line_of_broken_text};
use crate::model::Settings;
use crate::place::{Position, Step, dotted};
use crate::tree::{Fault, Node, Tree};
use crate::yaml::read;

mod render;

pub use render::render_diagnostics;

/// Something worth telling about one place in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the text can be used all the same.
    pub severity: Severity,
    /// Dotted name of the key, `[N]` for an item; empty for the text as a whole.
    pub key: String,
    /// What is wrong, in a sentence that names the key. Holds no secret.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Line, counted from 1.
    pub line: usize,
    /// First character on the line, counted from 1.
    pub column: usize,
    /// How many characters of that line are meant; 0 for a place between two.
    pub length: usize,
    /// The line itself, with stars for what may be a secret, as many as it has characters.
    #[serde(skip)]
    source: String,
}

/// A text with everything that is known about it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The settings, unless there is an error in them.
    pub settings: Option<Settings>,
    text: String,
    tree: Tree,
}

/// Checks a text: syntax, values, unknown keys, and rules about several keys together.
///
/// The rules are those of [`crate::check`]. An unknown key is an error where it is close to a known one or
/// inside a section of ours, and a warning at the top, where plugins have theirs.
pub fn diagnose(text: &str) -> Vec<Diagnostic> {
    Inspection::of(text).diagnostics
}

impl Inspection {
    /// Checks a text as [`diagnose`] does.
    pub fn of(text: &str) -> Self {
        let mut inspection = Self {
            diagnostics: Vec::new(),
            settings: None,
            text: text.to_string(),
            tree: Tree::default(),
        };
        match read(text) {
            Err(fault) => inspection.diagnostics.push(of_fault(text, &fault)),
            Ok((tree, value)) => {
                inspection.tree = tree;
                inspection.check(&value);
            }
        }
        inspection
    }

    /// Adds what another check found about a dotted key, at its value, or where the value would be.
    pub fn add(&mut self, severity: Severity, key: &str, what: &str, hint: Option<String>) {
        let path: Vec<&str> = key.split('.').filter(|part| !part.is_empty()).collect();
        let finding = Finding {
            hint,
            ..Finding::new(severity, &path, what)
        };
        let diagnostic = self.place(&finding);
        self.diagnostics.push(diagnostic);
        self.sort();
    }

    /// Whether nothing found is an error.
    pub fn is_valid(&self) -> bool {
        self.diagnostics
            .iter()
            .all(|found| found.severity == Severity::Warning)
    }

    fn check(&mut self, value: &Value) {
        let checked = check(value);
        self.diagnostics = checked
            .findings
            .iter()
            .map(|finding| self.place(finding))
            .collect();
        self.settings = checked.into_settings().ok();
        self.sort();
    }

    fn sort(&mut self) {
        self.diagnostics
            .sort_by_key(|found| (found.line, found.column));
    }

    fn place(&self, finding: &Finding) -> Diagnostic {
        let range = self.range_of(&finding.path, finding.at_key);
        let (position, length) = extent(&self.text, &range);
        Diagnostic {
            severity: finding.severity,
            key: dotted(&finding.path),
            message: finding.message(),
            hint: finding.hint.clone(),
            line: position.line,
            column: position.column,
            length,
            source: masked_line(&self.text, &self.tree, range.start),
        }
    }

    /// The bytes of the value at `path`, or of its key; of the deepest part that is there.
    fn range_of(&self, path: &[Step], at_key: bool) -> Range<usize> {
        let Some(found) = self.tree.find(path) else {
            return 0..0;
        };
        let written = |node: &&Node| !node.range.is_empty();
        let whole = found.depth == path.len();
        match (found.key, found.value) {
            (Some(key), _) if at_key || !whole => key.range.clone(),
            (_, value) if written(&value) => value.range.clone(),
            (Some(key), _) => key.range.clone(),
            (None, value) => value.range.clone(),
        }
    }
}

fn of_fault(text: &str, fault: &Fault) -> Diagnostic {
    let (position, length) = extent(text, &fault.range);
    Diagnostic {
        severity: Severity::Error,
        key: String::new(),
        message: fault.what.clone(),
        hint: None,
        line: position.line,
        column: position.column,
        length,
        source: masked_line_of_broken_text(text, fault.range.start),
    }
}

/// Where a range begins, and how many characters of it are on that line.
fn extent(text: &str, range: &Range<usize>) -> (Position, usize) {
    let part = text.get(range.clone()).unwrap_or_default();
    let first = part.lines().next().unwrap_or_default().trim_end();
    (Position::of(text, range.start), first.chars().count())
}
