//! Diagnostics as people see them: `file:line:column`, the line, and a caret below.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Diagnostic;
use crate::check::Severity;

/// The diagnostics of the file that people know as `name`, in the manner of rustc; each ends in a line break,
/// and an empty line stands between two.
pub fn render_diagnostics(name: &str, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let rendered: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| renderer.render(&[group(name, diagnostic)]) + "\n")
        .collect();
    rendered.join("\n")
}

fn group<'text>(name: &'text str, diagnostic: &'text Diagnostic) -> Group<'text> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let source = Snippet::source(diagnostic.source.as_str())
        .path(name)
        .line_start(diagnostic.line)
        .annotation(AnnotationKind::Primary.span(bytes(diagnostic)));
    let group = level
        .primary_title(diagnostic.message.as_str())
        .element(source);
    match &diagnostic.hint {
        Some(hint) => group.element(Level::HELP.with_name("hint").message(hint.as_str())),
        None => group,
    }
}

/// The meant characters of the line, in bytes.
fn bytes(diagnostic: &Diagnostic) -> Range<usize> {
    let line = &diagnostic.source;
    let at = |character: usize| {
        line.char_indices()
            .nth(character)
            .map_or(line.len(), |(byte, _)| byte)
    };
    let first = diagnostic.column - 1;
    at(first)..at(first + diagnostic.length)
}
