//! YAML text as a tree that knows where each part of it stands.
//!
//! The parser is granit-parser, for the byte ranges of its events. Ranges are those of the parsed text,
//! a byte order mark included.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, options};

/// The deepest nesting that is read; far beyond any configuration, well within the stack.
pub(crate) const DEEPEST: usize = 100;

/// Why a text cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) range: Range<usize>,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) data: Data,
    /// The bytes of the value itself, without anchor and tag. Empty where nothing is written. A collection
    /// in block style ends where its last part does.
    pub(crate) range: Range<usize>,
    /// Whether an anchor or a tag stands before the value.
    pub(crate) decorated: bool,
    tag: Option<(String, Range<usize>)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Data {
    Scalar {
        text: String,
        style: ScalarStyle,
    },
    Sequence {
        flow: bool,
        items: Vec<Node>,
    },
    Mapping {
        flow: bool,
        entries: Vec<Entry>,
    },
    /// A reference to the value that was anchored under this number.
    Alias(usize),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Node,
    pub(crate) value: Node,
}

/// A whole text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// The value of the only document; `None` for a text without one.
    pub(crate) root: Option<Node>,
    anchors: HashMap<usize, Node>,
}

impl Node {
    /// Whether nothing stands at the place.
    pub(crate) fn is_absent(&self) -> bool {
        self.range.is_empty()
            && matches!(
                &self.data,
                Data::Scalar {
                    style: ScalarStyle::Plain,
                    ..
                }
            )
    }

    /// Where a tag stands that is none of YAML's own.
    pub(crate) fn foreign_tag(&self) -> Option<Range<usize>> {
        let (tag, range) = self.tag.as_ref()?;
        let own = matches!(
            tag.strip_prefix("tag:yaml.org,2002:"),
            Some("str" | "seq" | "map" | "int" | "float" | "bool" | "null")
        );
        (!own).then(|| range.clone())
    }

    /// The type that a tag gives to a scalar, such as `str`.
    pub(crate) fn type_tag(&self) -> Option<&str> {
        self.tag.as_ref()?.0.strip_prefix("tag:yaml.org,2002:")
    }
}

impl Tree {
    /// Reads a text of one document.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str_with_options(text, options! { emit_anchor_events: true })
        {
            let (event, span) = event.map_err(|error| {
                let at = error
                    .marker()
                    .byte_offset()
                    .unwrap_or(text.len())
                    .min(text.len());
                Fault {
                    what: error.info().to_string(),
                    range: at..at,
                }
            })?;
            builder.take(event, span)?;
        }
        Ok(builder.tree)
    }

    /// The value that a reference stands for, or the node itself.
    pub(crate) fn resolved<'tree>(&'tree self, node: &'tree Node) -> Option<&'tree Node> {
        match node.data {
            Data::Alias(id) => self.anchors.get(&id),
            _ => Some(node),
        }
    }
}

/// Parts that are not finished yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key of an entry whose value is still to come.
    key: Option<Node>,
}

#[derive(Default)]
struct Builder {
    tree: Tree,
    open: Vec<Open>,
    documents: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let range = span.byte_range().unwrap_or_default();
        let tag = event.tag().map(|tag| {
            let place = span.tag_span().and_then(|span| span.byte_range());
            (
                format!("{}{}", tag.handle(), tag.suffix()),
                place.unwrap_or(range.clone()),
            )
        });
        let anchor = event.anchor_id().unwrap_or(0);
        let node = |data| Node {
            data,
            range: range.clone(),
            decorated: anchor != 0 || tag.is_some(),
            tag,
        };
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let what = "a second document begins here".to_string();
                    return Err(Fault { what, range });
                }
            }
            Event::Scalar(text, style, ..) => {
                // The parser writes `~` where nothing stands.
                let text = if range.is_empty() && style == ScalarStyle::Plain {
                    String::new()
                } else {
                    text.into_owned()
                };
                let node = node(Data::Scalar { text, style });
                self.close(node, anchor);
            }
            Event::Alias(id) => self.close(node(Data::Alias(id)), 0),
            Event::SequenceStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                let node = node(Data::Sequence {
                    flow,
                    items: Vec::new(),
                });
                self.begin(node, anchor)?;
            }
            Event::MappingStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                let node = node(Data::Mapping {
                    flow,
                    entries: Vec::new(),
                });
                self.begin(node, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    open.node.range.end = match &open.node.data {
                        Data::Sequence { flow: true, .. } | Data::Mapping { flow: true, .. } => {
                            range.end
                        }
                        Data::Sequence { items, .. } => {
                            items.last().map_or(range.start, |item| item.range.end)
                        }
                        Data::Mapping { entries, .. } => {
                            entries.last().map_or(range.start, |entry| {
                                entry.value.range.end.max(entry.key.range.end)
                            })
                        }
                        _ => range.end,
                    };
                    self.close(open.node, open.anchor);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if self.open.len() >= DEEPEST {
            let what = format!("nested more than {DEEPEST} levels deep");
            return Err(Fault {
                what,
                range: node.range,
            });
        }
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
        Ok(())
    }

    fn close(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.tree.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.tree.root = Some(node);
            return;
        };
        match &mut open.node.data {
            Data::Sequence { items, .. } => items.push(node),
            Data::Mapping { entries, .. } => match open.key.take() {
                None => open.key = Some(node),
                Some(key) => entries.push(Entry { key, value: node }),
            },
            _ => {}
        }
    }
}
