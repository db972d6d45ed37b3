//! Places: in a configuration, as steps; in a text, as line and column.

use std::fmt::Write as _;

use granit_parser::ScalarStyle;

use crate::tree::{Data, Entry, Node, Tree};
use crate::yaml::{is_merge, key_name};

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Name(String),
    /// To an item of a list, counted from 0.
    Index(usize),
}

/// Steps as people read them: names with points between them, and `[N]` for an item.
pub(crate) fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        // Writing to a `String` cannot fail.
        let _ = match step {
            Step::Name(name) if text.is_empty() => write!(text, "{name}"),
            Step::Name(name) => write!(text, ".{name}"),
            Step::Index(index) => write!(text, "[{index}]"),
        };
    }
    text
}

/// A place in a text, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// The place of a byte. A byte order mark takes no column.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[begin..]
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        Self { line, column }
    }
}

/// What stands at a path.
pub(crate) struct Found<'tree> {
    /// Its key; `None` for an item and for the root.
    pub(crate) key: Option<&'tree Node>,
    pub(crate) value: &'tree Node,
    /// How many steps of the path exist.
    pub(crate) depth: usize,
}

impl Tree {
    /// The deepest part of `path` that is written.
    ///
    /// Aliases and merge keys are followed, so that the place is where the value is written.
    pub(crate) fn find<'tree>(&'tree self, path: &[Step]) -> Option<Found<'tree>> {
        let mut found = Found {
            key: None,
            value: self.root.as_ref()?,
            depth: 0,
        };
        for step in path {
            let (key, value) = match (&self.resolved(found.value)?.data, step) {
                (Data::Mapping { entries, .. }, Step::Name(name)) => {
                    match self.entry(entries, name, 0) {
                        Some(entry) => (Some(&entry.key), &entry.value),
                        None => break,
                    }
                }
                (Data::Sequence { items, .. }, Step::Index(index)) => match items.get(*index) {
                    Some(item) => (None, item),
                    None => break,
                },
                // A word in the place of a list stands for a list of one.
                (Data::Scalar { .. }, Step::Index(_)) => (found.key, found.value),
                _ => break,
            };
            found = Found {
                key,
                value,
                depth: found.depth + 1,
            };
        }
        Some(found)
    }

    fn entry<'tree>(
        &'tree self,
        entries: &'tree [Entry],
        name: &str,
        depth: usize,
    ) -> Option<&'tree Entry> {
        let own = entries
            .iter()
            .find(|entry| !is_merge(&entry.key) && key_name(&entry.key) == Some(name));
        if own.is_some() || depth > 10 {
            return own;
        }
        entries
            .iter()
            .filter(|entry| is_merge(&entry.key))
            .find_map(|merge| {
                let source = self.resolved(&merge.value)?;
                match &source.data {
                    Data::Mapping { entries, .. } => self.entry(entries, name, depth + 1),
                    Data::Sequence { items, .. } => {
                        items
                            .iter()
                            .find_map(|item| match &self.resolved(item)?.data {
                                Data::Mapping { entries, .. } => {
                                    self.entry(entries, name, depth + 1)
                                }
                                _ => None,
                            })
                    }
                    _ => None,
                }
            })
    }

    /// Calls `see` with every scalar that is a value, and the names on the way to it. What an alias or a
    /// merge key brings in is seen as a whole.
    pub(crate) fn each_scalar<'tree>(
        &'tree self,
        see: &mut impl FnMut(&[&'tree str], &'tree Node),
    ) {
        if let Some(root) = &self.root {
            self.scalars(root, &mut Vec::new(), see);
        }
    }

    fn scalars<'tree>(
        &'tree self,
        node: &'tree Node,
        path: &mut Vec<&'tree str>,
        see: &mut impl FnMut(&[&'tree str], &'tree Node),
    ) {
        match &node.data {
            Data::Scalar { .. } => see(path, node),
            Data::Sequence { items, .. } => {
                items.iter().for_each(|item| self.scalars(item, path, see))
            }
            Data::Mapping { entries, .. } => {
                for entry in entries {
                    path.push(key_name(&entry.key).unwrap_or_default());
                    self.scalars(&entry.value, path, see);
                    path.pop();
                }
            }
            Data::Alias(_) => self
                .resolved(node)
                .into_iter()
                .for_each(|target| see(path, target)),
        }
    }
}

/// Whether a scalar is written over its own lines (`|` or `>`).
pub(crate) fn is_block_scalar(node: &Node) -> bool {
    matches!(
        node.data,
        Data::Scalar {
            style: ScalarStyle::Literal | ScalarStyle::Folded,
            ..
        }
    )
}
