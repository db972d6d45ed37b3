//! The text side of an edit: bytes of the original are cut out or put in, all others stay.
//!
//! So a line that an edit does not concern is the same by construction, which an editor that writes a syntax
//! tree back cannot promise; yamlpatch 1.32 also cannot append to a list in brackets, and mixes line ends.

use std::ops::Range;

use serde_json::{Map, Value};

use super::lines::Lines;
use super::nested;
use super::write::{Style, block_lines, flow_text, scalar_text};
use crate::place::is_block_scalar;
use crate::tree::{Data, Entry, Node, Tree};
use crate::yaml::{is_merge, key_name};

/// What is done to a text: ranges of bytes, in order, and what stands there afterwards.
type Changes = Vec<(Range<usize>, String)>;

/// An edit of one text. Each method gives the new text, or `None` where it knows no way.
pub(super) struct Editor<'text> {
    pub(super) text: Lines<'text>,
    pub(super) tree: &'text Tree,
}

/// A mapping on the way to the place of an edit, and whether it stands in brackets.
pub(super) struct Parent<'text> {
    pub(super) node: &'text Node,
    entries: &'text [Entry],
    pub(super) flow: bool,
}

impl<'text> Editor<'text> {
    pub(super) fn new(text: &'text str, tree: &'text Tree) -> Self {
        Self {
            text: Lines(text),
            tree,
        }
    }

    /// Sets the value at `path`, making parents.
    pub(super) fn set(&self, path: &[&str], value: &Value) -> Option<String> {
        let Some(mut parent) = self.root() else {
            return self.first_entries(&nested(path, value));
        };
        for (index, part) in path.iter().enumerate() {
            let value = nested(&path[index + 1..], value);
            let Some(entry) = own_entry(parent.entries, part) else {
                return self.add_entry(&parent, part, &value);
            };
            match below(&entry.value, parent.flow) {
                Some(inner) if index + 1 < path.len() => parent = inner,
                _ if matches!(entry.value.data, Data::Alias(_)) && index + 1 < path.len() => {
                    return None;
                }
                _ => return self.replace(&parent, entry, &value),
            }
        }
        None
    }

    /// Sets the value at `path` only where none is written.
    pub(super) fn set_absent(&self, path: &[&str], value: &Value) -> Option<String> {
        self.entry_at(path)
            .is_none()
            .then(|| self.set(path, value))?
    }

    /// Removes the entry at `path`.
    pub(super) fn unset(&self, path: &[&str]) -> Option<String> {
        let (last, parents) = path.split_last()?;
        let mut parent = self.root()?;
        for part in parents {
            parent = below(&own_entry(parent.entries, part)?.value, parent.flow)?;
        }
        let entry = own_entry(parent.entries, last)?;
        let at = parent
            .entries
            .iter()
            .position(|other| std::ptr::eq(other, entry))?;
        let next = parent.entries.get(at + 1);
        if parent.flow {
            let ends = |entry: &Entry| entry.key.range.start..self.entry_end(entry);
            let before = at
                .checked_sub(1)
                .and_then(|at| parent.entries.get(at))
                .map(ends);
            return self.cut_from_flow(before, ends(entry), next.map(|next| next.key.range.start));
        }
        let start = entry.key.range.start;
        let end = self.entry_end(entry);
        match self.text.before(start).trim() {
            "" | "?" => self.apply(vec![(self.text.whole_lines(start, end), String::new())]),
            _ => self.apply(vec![(start..next?.key.range.start, String::new())]),
        }
    }

    /// Adds items to a list that has some.
    pub(super) fn add_items(&self, path: &[&str], new: &[Value]) -> Option<String> {
        let (node, flow) = self.find(path)?;
        let Data::Sequence { items, .. } = &node.data else {
            return None;
        };
        let last = items.last()?;
        let new: Vec<String> = new.iter().map(flow_text).collect();
        if flow {
            return self.add_to_flow(last.range.start, self.node_end(last), node, &new);
        }
        let dash = *self.dashes(path, items)?.last()?;
        let end = self.node_end(last).max(dash + 1);
        let gap = self
            .text
            .0
            .get(dash + 1..last.range.start)
            .unwrap_or_default();
        let gap = if !gap.is_empty() && gap.bytes().all(|byte| byte == b' ') {
            gap
        } else {
            " "
        };
        let indent = " ".repeat(self.text.column(dash));
        let lines: String = new
            .iter()
            .map(|item| format!("{indent}-{gap}{item}\n"))
            .collect();
        self.apply(vec![self.text.insertion_after(end, &lines)])
    }

    /// Removes some items, but not all, of a list; in brackets only one.
    pub(super) fn remove_items(&self, path: &[&str], indexes: &[usize]) -> Option<String> {
        let (node, flow) = self.find(path)?;
        let Data::Sequence { items, .. } = &node.data else {
            return None;
        };
        if flow {
            let [index] = *indexes else { return None };
            let item = items.get(index)?;
            let ends = |item: &Node| self.node_start(item)..self.node_end(item);
            let before = index.checked_sub(1).and_then(|at| items.get(at)).map(ends);
            let after = items.get(index + 1).map(|next| self.node_start(next));
            return self.cut_from_flow(before, ends(item), after);
        }
        let dashes = self.dashes(path, items)?;
        let cut = |index: &usize| {
            let dash = *dashes.get(*index)?;
            let end = self.node_end(items.get(*index)?).max(dash + 1);
            let range = if self.text.before(dash).trim().is_empty() {
                self.text.whole_lines(dash, end)
            } else {
                dash..*dashes.get(index + 1)?
            };
            Some((range, String::new()))
        };
        self.apply(indexes.iter().map(cut).collect::<Option<_>>()?)
    }

    /// Removes the only item of a list, which stays as `[]`.
    pub(super) fn remove_only_item(&self, path: &[&str]) -> Option<String> {
        let (node, flow) = self.find(path)?;
        let entry = self.entry_at(path)?;
        let Data::Sequence { items, .. } = &node.data else {
            return None;
        };
        let item = items.first()?;
        if flow || entry.value.decorated {
            return self.set(path, &Value::Array(Vec::new()));
        }
        let colon = self.colon(&entry.key)?;
        let dash = *self.dashes(path, items)?.first()?;
        let end = self.node_end(item).max(dash + 1);
        self.apply(vec![
            (colon + 1..colon + 1, " []".to_string()),
            (self.text.whole_lines(dash, end), String::new()),
        ])
    }

    fn root(&self) -> Option<Parent<'text>> {
        below(self.tree.root.as_ref()?, false)
    }

    fn entry_at(&self, path: &[&str]) -> Option<&'text Entry> {
        let (last, parents) = path.split_last()?;
        let mut parent = self.root()?;
        for part in parents {
            parent = below(&own_entry(parent.entries, part)?.value, parent.flow)?;
        }
        own_entry(parent.entries, last)
    }

    /// The value at `path` if it is written there, and whether it stands in brackets.
    fn find(&self, path: &[&str]) -> Option<(&'text Node, bool)> {
        let node = &self.entry_at(path)?.value;
        let brackets = matches!(node.data, Data::Sequence { flow: true, .. });
        Some((node, brackets))
    }

    fn add_entry(&self, parent: &Parent<'_>, name: &str, value: &Value) -> Option<String> {
        let last = parent.entries.last();
        if parent.flow {
            let text = format!("{}: {}", scalar_text(&name.into(), true), flow_text(value));
            return match last {
                Some(last) => self.add_to_flow(
                    last.key.range.start,
                    self.entry_end(last),
                    parent.node,
                    &[text],
                ),
                None => {
                    let at = parent.node.range.start + 1;
                    self.apply(vec![(at..at, text)])
                }
            };
        }
        let style = Style::of(&self.text, self.tree);
        let entry = Value::Object(Map::from_iter([(name.to_string(), value.clone())]));
        let lines = block_lines(&entry, self.text.column(parent.node.range.start), style);
        self.apply(vec![
            self.text.insertion_after(self.entry_end(last?), &lines),
        ])
    }

    /// The text of an empty configuration, followed by `entries`.
    fn first_entries(&self, entries: &Value) -> Option<String> {
        let lines = block_lines(entries, 0, Style::default());
        let text = self.text.0;
        let mut place = text.len();
        if let Some(root) = self.tree.root.as_ref().filter(|root| !root.is_absent()) {
            if root.decorated || text[root.range.clone()].contains('#') {
                return None;
            }
            let line_end = self.text.line_end(root.range.end);
            let bare = self.text.before(root.range.start).trim().is_empty();
            let rest = text[root.range.end..line_end].trim();
            let cut = match (bare, rest.is_empty()) {
                (true, true) => self.text.line_start(root.range.start)..line_end,
                (true, false) => {
                    self.text.line_start(root.range.start)
                        ..line_end - text[root.range.end..line_end].trim_start().len()
                }
                (false, _) => text[..root.range.start].trim_end_matches(' ').len()..root.range.end,
            };
            let without = format!("{}{}", &text[..cut.start], &text[cut.end..]);
            let place = line_end - cut.len();
            return Some(Lines(&without).with_lines_at(place, &lines, self.text.eol(0)));
        }
        // What follows the end of the document is none of it.
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            if line.trim_end() == "..." {
                place = start;
                break;
            }
            start += line.len();
        }
        Some(self.text.with_lines_at(place, &lines, self.text.eol(0)))
    }

    /// Where each item's dash stands.
    fn dashes(&self, path: &[&str], items: &[Node]) -> Option<Vec<usize>> {
        let entry = self.entry_at(path)?;
        let mut at = self.colon(&entry.key)? + 1;
        if entry.value.decorated {
            // Behind the anchor or tag; nothing but white space and comments may follow it on its line.
            at = self.text.line_end(self.text.skip_blank(at));
        }
        let mut dashes = Vec::with_capacity(items.len());
        for item in items {
            let dash = self.text.skip_blank(at);
            if !self.text.0[dash..].starts_with('-') {
                return None;
            }
            dashes.push(dash);
            at = self.node_end(item).max(dash + 1);
        }
        Some(dashes)
    }

    pub(super) fn colon(&self, key: &Node) -> Option<usize> {
        let at = self.text.skip_blank(key.range.end);
        self.text.0[at..].starts_with(':').then_some(at)
    }

    pub(super) fn entry_end(&self, entry: &Entry) -> usize {
        let colon = self
            .colon(&entry.key)
            .map_or(entry.key.range.end, |colon| colon + 1);
        let end = self.node_end(&entry.value);
        if entry.value.is_absent() && !entry.value.decorated {
            colon
        } else {
            end.max(colon)
        }
    }

    /// Where the value's own text ends: blank lines behind a block scalar belong to it only if it keeps them.
    pub(super) fn node_end(&self, node: &Node) -> usize {
        match &node.data {
            Data::Scalar { text, .. } if is_block_scalar(node) => {
                let raw = &self.text.0[node.range.clone()];
                if text.ends_with("\n\n") && raw.ends_with('\n') {
                    node.range.end - 1
                } else {
                    node.range.start + raw.trim_end().len()
                }
            }
            Data::Sequence { flow: false, items } => items
                .last()
                .map_or(node.range.end, |last| self.node_end(last)),
            Data::Mapping {
                flow: false,
                entries,
            } => entries
                .last()
                .map_or(node.range.end, |last| self.entry_end(last)),
            _ => node.range.end,
        }
    }

    pub(super) fn apply(&self, mut changes: Changes) -> Option<String> {
        changes.sort_by_key(|(range, _)| range.start);
        let text = self.text.0;
        let mut new = String::with_capacity(text.len() + 64);
        let mut at = 0;
        for (range, replacement) in changes {
            new.push_str(text.get(at..range.start)?);
            new.push_str(&replacement);
            at = range.end;
        }
        new.push_str(text.get(at..)?);
        Some(new)
    }
}

/// A mapping with entries, or one in brackets.
fn below(node: &Node, outer: bool) -> Option<Parent<'_>> {
    match &node.data {
        Data::Mapping { flow, entries } if outer || !entries.is_empty() => Some(Parent {
            node,
            entries,
            flow: *flow || outer,
        }),
        _ => None,
    }
}

fn own_entry<'node>(entries: &'node [Entry], name: &str) -> Option<&'node Entry> {
    entries
        .iter()
        .find(|entry| !is_merge(&entry.key) && key_name(&entry.key) == Some(name))
}
