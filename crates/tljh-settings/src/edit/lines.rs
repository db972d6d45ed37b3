//! A text by its lines.

use std::ops::Range;

/// A text, asked about places in bytes.
#[derive(Clone, Copy)]
pub(super) struct Lines<'text>(pub(super) &'text str);

impl<'text> Lines<'text> {
    /// Where the line of `at` begins, behind a byte order mark.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let start = self.0[..at].rfind('\n').map_or(0, |end| end + 1);
        if start == 0 && self.0.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8().min(at)
        } else {
            start
        }
    }

    /// Behind the line's end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.0[at..]
            .find('\n')
            .map_or(self.0.len(), |end| at + end + 1)
    }

    /// Where the line's end begins.
    pub(super) fn content_end(&self, at: usize) -> usize {
        let end = self.line_end(at);
        let line = &self.0[at..end];
        at + line.trim_end_matches('\n').trim_end_matches('\r').len()
    }

    /// What stands before `at` on its line.
    pub(super) fn before(&self, at: usize) -> &'text str {
        &self.0[self.line_start(at)..at]
    }

    /// Characters before `at` on its line.
    pub(super) fn column(&self, at: usize) -> usize {
        self.before(at).chars().count()
    }

    /// The line end in use at `at`: that of its line, or of the one above where it has none.
    pub(super) fn eol(&self, at: usize) -> &'static str {
        let end = self.line_end(at);
        let ended = if self.0[..end].ends_with('\n') {
            end
        } else {
            self.line_start(at)
        };
        if self.0[..ended].ends_with("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The first place from `at` on where neither white space nor a comment stands.
    pub(super) fn skip_blank(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.0[at..];
            at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            if !self.0[at..].starts_with('#') {
                return at;
            }
            at = self.line_end(at);
        }
    }

    /// The lines from that of `start` to that of `end`, line ends included. Where the last one has no line
    /// end, the one before the first goes instead.
    pub(super) fn whole_lines(&self, start: usize, end: usize) -> Range<usize> {
        let mut start = self.line_start(start);
        let end = self.line_end(end);
        if end == self.0.len() && !self.0.ends_with('\n') {
            let before = &self.0[..start];
            start = before
                .strip_suffix("\r\n")
                .or(before.strip_suffix('\n'))
                .map_or(start, str::len);
        }
        start..end
    }

    /// `lines` below the line of `at`, with the line ends in use there; a missing one at the end stays missing.
    pub(super) fn insertion_after(&self, at: usize, lines: &str) -> (Range<usize>, String) {
        let eol = self.eol(at);
        let end = self.line_end(at);
        let lines = lines.replace('\n', eol);
        let new = if self.0[..end].ends_with('\n') {
            lines
        } else {
            format!("{eol}{}", lines.strip_suffix(eol).unwrap_or(&lines))
        };
        (end..end, new)
    }

    /// The text with `lines` at the beginning of a line, or at the end.
    pub(super) fn with_lines_at(&self, at: usize, lines: &str, eol: &str) -> String {
        let (head, tail) = self.0.split_at(at);
        let bare = head.is_empty() || head.ends_with('\n') || head == "\u{feff}";
        let gap = if bare { "" } else { eol };
        format!("{head}{gap}{}{tail}", lines.replace('\n', eol))
    }
}
