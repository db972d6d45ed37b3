//! The text side of an edit.
//!
//! yaml-edit was measured against yamlpatch 1.32 on the same ugly files: yamlpatch cannot append to a list in
//! brackets nor edit an empty file, mixes line ends in a file with CRLF, and drops blank lines before a comment.

use std::str::FromStr as _;

use serde_json::{Map, Value};
use yaml_edit::{Document as Tree, Mapping, MappingEntry, YamlFile, YamlNode};

use super::nested;

/// A text taken apart into what the YAML editor works on and what is put back afterwards.
pub(super) struct Text {
    body: String,
    byte_order_mark: bool,
    carriage_returns: bool,
}

impl Text {
    pub(super) fn of(text: &str) -> Self {
        let body = text.strip_prefix('\u{feff}');
        let byte_order_mark = body.is_some();
        let body = body.unwrap_or(text);
        let lines = body.matches('\n').count();
        let carriage_returns = lines > 0 && body.matches("\r\n").count() == lines;
        let body = if carriage_returns {
            body.replace("\r\n", "\n")
        } else {
            body.to_string()
        };
        Self {
            body,
            byte_order_mark,
            carriage_returns,
        }
    }

    pub(super) fn edit(self, edit: impl FnOnce(&Tree) -> Option<()>) -> Option<String> {
        let ends_in_newline = self.body.is_empty() || self.body.ends_with('\n');
        // The file, not its document alone, so that directives such as `%YAML` stay.
        let file = YamlFile::from_str(&self.body).ok()?;
        edit(&file.document()?)?;
        let mut text = file.to_string();
        if ends_in_newline && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Some(self.put_back(&text))
    }

    /// The text of an empty configuration, which may hold comments or `{}`, followed by `entries`.
    pub(super) fn with_first_entries(self, entries: &Value) -> Option<String> {
        let text = without_braces(&self.body) + &serde_yaml::to_string(entries).ok()?;
        Some(self.put_back(&text))
    }

    /// The text of an empty configuration without the `{}` that stands for it.
    pub(super) fn without_entries(self) -> String {
        self.put_back(&without_braces(&self.body))
    }

    fn put_back(&self, text: &str) -> String {
        let mark = if self.byte_order_mark { "\u{feff}" } else { "" };
        let text = if self.carriage_returns {
            text.replace('\n', "\r\n")
        } else {
            text.to_string()
        };
        format!("{mark}{text}")
    }
}

/// The text of an empty configuration without the `{}` that stands for it.
fn without_braces(text: &str) -> String {
    let mut rest = String::new();
    for line in text.lines() {
        let bare = line.split('#').next().unwrap_or_default().trim() == "{}";
        let line = if bare {
            line.replacen("{}", "", 1)
        } else {
            line.to_string()
        };
        let line = if bare { line.trim() } else { &line };
        if !bare || !line.is_empty() {
            rest.push_str(line);
            rest.push('\n');
        }
    }
    rest
}

pub(super) fn set_text(tree: &Tree, path: &[&str], value: &Value) -> Option<()> {
    let mut mapping = tree.as_mapping()?;
    for (index, part) in path.iter().enumerate() {
        let rest = &path[index + 1..];
        let Some(entry) = entry_of(&mapping, part) else {
            mapping.set(*part, &node_of(&nested(rest, value))?);
            return Some(());
        };
        let inner = entry.value_node();
        let below = inner
            .as_ref()
            .and_then(YamlNode::as_mapping)
            .filter(|map| !map.is_empty());
        match below {
            Some(below) if !rest.is_empty() => mapping = below.clone(),
            _ if inner.as_ref().is_some_and(YamlNode::is_alias) && !rest.is_empty() => return None,
            _ => {
                mapping.set(&entry.key_node()?, &node_of(&nested(rest, value))?);
                return Some(());
            }
        }
    }
    None
}

pub(super) fn unset_text(tree: &Tree, path: &[&str]) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let mapping = match parents {
        [] => tree.as_mapping()?,
        _ => find_entry(tree, parents)?
            .value_node()?
            .as_mapping()?
            .clone(),
    };
    let key = entry_of(&mapping, last)?.key_node()?;
    mapping.remove(&key).map(|_| ())
}

pub(super) fn find_entry(tree: &Tree, path: &[&str]) -> Option<MappingEntry> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(entry_of(&tree.as_mapping()?, first)?, |entry, part| {
            entry_of(entry.value_node()?.as_mapping()?, part)
        })
}

/// The entry whose key reads as `name`, be it text or a number.
fn entry_of(mapping: &Mapping, name: &str) -> Option<MappingEntry> {
    mapping.find_entry_by_key(name).or_else(|| {
        mapping.entries().find(|entry| {
            entry
                .key_node()
                .is_some_and(|key| key.to_string().trim() == name)
        })
    })
}

/// `value` as the editor takes it: written by the YAML library, which knows what needs quotes.
pub(super) fn node_of(value: &Value) -> Option<YamlNode> {
    let text = serde_yaml::to_string(&Map::from_iter([("v".to_string(), value.clone())])).ok()?;
    Tree::from_str(&text).ok()?.get("v")
}
