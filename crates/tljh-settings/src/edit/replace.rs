//! A value in the place of another one.

use serde_json::Value;

use super::text::{Editor, Parent};
use super::write::{Style, block_lines, flow_text, scalar_text};
use crate::place::is_block_scalar;
use crate::tree::{Data, Entry};

impl Editor<'_> {
    pub(super) fn replace(
        &self,
        parent: &Parent<'_>,
        entry: &Entry,
        value: &Value,
    ) -> Option<String> {
        let old = &entry.value;
        let colon = self.colon(&entry.key);
        if old.is_absent() {
            if old.decorated {
                return None;
            }
            let Some(colon) = colon else {
                let end = entry.key.range.end;
                return self.apply(vec![(end..end, format!(": {}", flow_text(value)))]);
            };
            if parent.flow || !is_long(value) {
                return self.apply(vec![(
                    colon + 1..colon + 1,
                    format!(" {}", flow_text(value)),
                )]);
            }
            let lines = self.block(parent, value);
            return self.apply(vec![self.text.insertion_after(colon + 1, &lines)]);
        }
        let (start, end) = (old.range.start, self.node_end(old));
        let flow_old = matches!(
            old.data,
            Data::Sequence { flow: true, .. } | Data::Mapping { flow: true, .. }
        );
        if let (Data::Mapping { entries, .. }, Value::Object(new)) = (&old.data, value)
            && entries.is_empty()
            && self.text.0[start..end].contains('\n')
        {
            let inner = flow_text(&Value::Object(new.clone()));
            let inner = inner.trim_start_matches('{').strip_suffix('}')?.to_string();
            return self.apply(vec![(start + 1..start + 1, inner)]);
        }
        if parent.flow || (flow_old && (value.is_array() || value.is_object())) {
            return self.apply(vec![(start..end, flow_text(value))]);
        }
        let colon = colon?;
        let first = self.text.skip_blank(colon + 1);
        let same_line = self.text.line_end(colon) == self.text.line_end(first);
        let block_old = matches!(
            old.data,
            Data::Sequence { flow: false, .. } | Data::Mapping { flow: false, .. }
        );
        let alone = old.decorated && is_block_scalar(old);
        match (is_long(value), same_line) {
            _ if alone => None,
            (false, _) if !block_old && !is_block_scalar(old) => {
                self.apply(vec![(start..end, scalar_text(value, false))])
            }
            (false, true) if is_block_scalar(old) => {
                self.apply(vec![(first..end, scalar_text(value, false))])
            }
            (false, _) => {
                // An anchor or tag on the key's line goes with the collection that it stands before.
                let head = if same_line {
                    first..self.text.content_end(first)
                } else {
                    colon + 1..colon + 1
                };
                let lines = self.text.whole_lines(self.text.line_end(colon), end);
                let head_text = if same_line {
                    String::new()
                } else {
                    " ".to_string()
                };
                self.apply(vec![
                    (head, head_text + &scalar_text(value, false)),
                    (lines, String::new()),
                ])
            }
            (true, true) if !block_old && !is_block_scalar(old) => {
                let spaces = self.text.0[..first].trim_end_matches(' ').len();
                let lines = self.block(parent, value);
                self.apply(vec![
                    (spaces..end, String::new()),
                    self.text.insertion_after(end, &lines),
                ])
            }
            (true, _) => {
                let from = if same_line {
                    first
                } else {
                    self.text.line_end(colon)
                };
                let lines = self.block(parent, value);
                let eol = self.text.eol(colon);
                let lines = lines.replace('\n', eol);
                let mut new = if same_line {
                    format!("{eol}{lines}")
                } else {
                    lines
                };
                if self.text.line_end(end) == self.text.0.len() && !self.text.0.ends_with('\n') {
                    new.truncate(new.len() - eol.len());
                }
                self.apply(vec![(from..self.text.line_end(end), new)])
            }
        }
    }

    /// The lines for a value below one of the parent's keys.
    fn block(&self, parent: &Parent<'_>, value: &Value) -> String {
        let style = Style::of(&self.text, self.tree);
        let column = self.text.column(parent.node.range.start);
        let deeper = if value.is_array() {
            style.list
        } else {
            style.step
        };
        block_lines(value, column + deeper, style)
    }
}

/// Whether a value takes lines of its own.
fn is_long(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
        _ => false,
    }
}
