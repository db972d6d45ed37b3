//! Parts of what stands in brackets.

use std::ops::Range;

use super::text::Editor;
use crate::tree::Node;

impl Editor<'_> {
    /// Adds parts behind the last one of what stands in brackets.
    pub(super) fn add_to_flow(
        &self,
        start: usize,
        end: usize,
        node: &Node,
        new: &[String],
    ) -> Option<String> {
        let pad = self.text.before(start);
        let closing = self.text.skip_blank(end);
        let comma = self.text.0[closing..].starts_with(',');
        // A part on a line of its own gets one below; its comment stays beside it.
        let own_line = pad.trim().is_empty() && self.text.line_end(end) < node.range.end;
        if !own_line {
            return self.apply(vec![(end..end, format!(", {}", new.join(", ")))]);
        }
        let parts: Vec<String> = new.iter().map(|part| format!("{pad}{part}")).collect();
        let line = format!("{}{}\n", parts.join(",\n"), if comma { "," } else { "" });
        let mut changes = vec![
            self.text
                .insertion_after(if comma { closing } else { end }, &line),
        ];
        if !comma {
            changes.insert(0, (end..end, ",".to_string()));
        }
        self.apply(changes)
    }

    /// Removes a part of what stands in brackets, with the comma that it leaves over.
    pub(super) fn cut_from_flow(
        &self,
        before: Option<Range<usize>>,
        part: Range<usize>,
        next: Option<usize>,
    ) -> Option<String> {
        let comma = self.text.skip_blank(part.end);
        let end = if self.text.0[comma..].starts_with(',') {
            comma + 1
        } else {
            part.end
        };
        let line_end = self.text.content_end(end);
        let rest = self.text.0[end..line_end].trim_start();
        let own_line = self.text.before(part.start).trim().is_empty()
            && (rest.is_empty() || rest.starts_with('#'));
        let cut = match (before, next) {
            _ if own_line => self.text.whole_lines(part.start, end),
            (_, Some(next)) if self.text.line_end(end) == self.text.line_end(next) => {
                part.start..next
            }
            (Some(before), None)
                if self.text.line_end(before.end) == self.text.line_end(part.start) =>
            {
                before.end..part.end
            }
            _ => part.start..end,
        };
        self.apply(vec![(cut, String::new())])
    }

    /// Where a flow item begins, its anchor and tag included.
    pub(super) fn node_start(&self, node: &Node) -> usize {
        if !node.decorated {
            return node.range.start;
        }
        let before = &self.text.0[..node.range.start];
        before
            .rfind([',', '[', '{', '\n'])
            .map_or(node.range.start, |at| self.text.skip_blank(at + 1))
    }
}
