//! Values as YAML text, in the manner of the file that they go into.

use serde_json::Value;

use super::lines::Lines;
use crate::tree::{Data, Node, Tree};

/// How a file indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns from a key to those below it.
    pub(super) step: usize,
    /// Columns from a key to the dashes below it.
    pub(super) list: usize,
}

impl Default for Style {
    /// That of upstream's tool.
    fn default() -> Self {
        Self { step: 2, list: 0 }
    }
}

impl Style {
    /// The manner of the first section and the first list in block style.
    pub(super) fn of(text: &Lines<'_>, tree: &Tree) -> Self {
        let (mut step, mut list) = (None, None);
        if let Some(root) = &tree.root {
            look(text, root, &mut step, &mut list);
        }
        let default = Self::default();
        Self {
            step: step.unwrap_or(default.step),
            list: list.unwrap_or(default.list),
        }
    }
}

fn look(text: &Lines<'_>, node: &Node, step: &mut Option<usize>, list: &mut Option<usize>) {
    let Data::Mapping {
        flow: false,
        entries,
    } = &node.data
    else {
        return;
    };
    let column = text.column(node.range.start);
    for entry in entries {
        if step.is_some() && list.is_some() {
            return;
        }
        let distance = |at| text.column(at).checked_sub(column);
        match &entry.value.data {
            Data::Mapping { flow: false, .. } => {
                *step = step
                    .or(distance(entry.value.range.start))
                    .filter(|step| *step > 0);
                look(text, &entry.value, step, list);
            }
            Data::Sequence { flow: false, .. } if list.is_none() => {
                // Without an indent the parser's range begins behind the dash.
                let start = entry.value.range.start;
                let dash = if text.0[start..].starts_with('-') {
                    distance(start)
                } else {
                    Some(0)
                };
                *list = dash;
            }
            _ => {}
        }
    }
}

/// A list or mapping with content, one line for each part.
pub(super) fn block_lines(value: &Value, column: usize, style: Style) -> String {
    let mut lines = String::new();
    write_block(value, column, style, &mut lines);
    lines
}

fn write_block(value: &Value, column: usize, style: Style, lines: &mut String) {
    let pad = " ".repeat(column);
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                lines.push_str(&format!(
                    "{pad}{}:",
                    scalar_text(&name.as_str().into(), false)
                ));
                let deeper = match value {
                    Value::Object(inner) if !inner.is_empty() => Some(style.step),
                    Value::Array(inner) if !inner.is_empty() => Some(style.list),
                    _ => None,
                };
                match deeper {
                    Some(deeper) => {
                        lines.push('\n');
                        write_block(value, column + deeper, style, lines);
                    }
                    None => lines.push_str(&format!(" {}\n", scalar_text(value, false))),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                lines.push_str(&format!("{pad}- {}\n", flow_text(item)));
            }
        }
        scalar => lines.push_str(&format!("{pad}{}\n", scalar_text(scalar, false))),
    }
}

/// A value on one line, fit to stand in brackets if it is a list or mapping itself.
pub(super) fn flow_text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            let entry = |(name, value): (&String, &Value)| {
                format!(
                    "{}: {}",
                    scalar_text(&name.as_str().into(), true),
                    flow_text(value)
                )
            };
            let entries: Vec<String> = object.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        scalar => scalar_text(scalar, true),
    }
}

/// A scalar, or an empty collection, on one line, with quotes where it needs them.
pub(super) fn scalar_text(value: &Value, flow: bool) -> String {
    let Value::String(text) = value else {
        return match value {
            Value::Array(_) | Value::Object(_) => flow_text(value),
            other => other.to_string(),
        };
    };
    let written = serde_yaml::to_string(text).unwrap_or_default();
    let written = written.trim_end_matches('\n');
    let unusual = |character: char| {
        character.is_control()
            || ('\u{2028}'..='\u{2029}').contains(&character)
            || character == '\u{feff}'
    };
    if written.contains('\n') || text.contains(unusual) || written.is_empty() {
        return double_quoted(text, unusual);
    }
    let plain = !written.starts_with(['\'', '"']);
    if plain
        && ((flow && written.contains([',', '[', ']', '{', '}', '?', ':', '#']))
            || written.starts_with(['-', '?', '=', '<', '.']))
    {
        return format!("'{}'", text.replace('\'', "''"));
    }
    written.to_string()
}

fn double_quoted(text: &str, unusual: impl Fn(char) -> bool) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        if unusual(character) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            quoted.push(character);
        }
    }
    quoted
}
