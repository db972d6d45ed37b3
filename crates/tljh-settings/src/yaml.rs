//! YAML text to JSON values, the one shape that the rest of the crate works on.

use granit_parser::ScalarStyle;
use serde_json::{Map, Number, Value};

use crate::error::SettingsError;
use crate::key::reads_as_text;
use crate::place::Position;
use crate::tree::{DEEPEST, Data, Fault, Node, Tree};

/// How many values a text may stand for. Aliases of aliases are small to write and endless to read.
const MOST_VALUES: usize = 1_000_000;

/// Parses a configuration's text. An empty text is `null`; merge keys (`<<`) are applied.
///
/// Names of keys become text, so that `12345:` and `"12345":` are one key. Where the table of keys wants
/// text or names, a number stays as it is written: a user `0x10` is not the user `16`.
///
/// # Errors
/// Text that is not YAML, several documents, a key given twice, a tag, a number that JSON cannot hold.
pub fn parse_yaml(text: &str) -> Result<Value, SettingsError> {
    read(text)
        .map(|(_, value)| value)
        .map_err(|fault| syntax(text, &fault))
}

/// A text as tree and as values, parsed once.
pub(crate) fn read(text: &str) -> Result<(Tree, Value), Fault> {
    let tree = Tree::parse(text)?;
    let mut reader = Reader {
        tree: &tree,
        path: Vec::new(),
        depth: 0,
        values: 0,
    };
    let value = match &tree.root {
        None => Value::Null,
        Some(root) => reader.value(root, false)?,
    };
    Ok((tree, value))
}

/// A fault in the words of an error, with its line and column.
pub(crate) fn syntax(text: &str, fault: &Fault) -> SettingsError {
    let Position { line, column } = Position::of(text, fault.range.start);
    SettingsError::Syntax {
        path: None,
        what: format!("{} at line {line} column {column}", fault.what),
    }
}

/// The name that a key stands for; `None` if it is no text.
pub(crate) fn key_name(key: &Node) -> Option<&str> {
    match &key.data {
        Data::Scalar {
            text,
            style: ScalarStyle::Plain,
        } if is_null(text) => None,
        Data::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Whether the key takes over another mapping's entries.
pub(crate) fn is_merge(key: &Node) -> bool {
    matches!(&key.data, Data::Scalar { text, style: ScalarStyle::Plain } if text == "<<")
}

struct Reader<'tree> {
    tree: &'tree Tree,
    path: Vec<&'tree str>,
    depth: usize,
    values: usize,
}

impl<'tree> Reader<'tree> {
    /// `as_text` keeps numbers as they are written.
    fn value(&mut self, node: &'tree Node, as_text: bool) -> Result<Value, Fault> {
        let fault = |what: String| Fault {
            what,
            range: node.range.clone(),
        };
        self.values += 1;
        if self.values > MOST_VALUES || self.depth > DEEPEST {
            return Err(fault("aliases make the file endless".to_string()));
        }
        if let Some(range) = node.foreign_tag() {
            return Err(Fault {
                what: "this tag has no meaning here".to_string(),
                range,
            });
        }
        self.depth += 1;
        let value = match &node.data {
            Data::Scalar { text, style } => {
                scalar(text, *style, node.type_tag(), as_text).map_err(fault)?
            }
            Data::Sequence { items, .. } => {
                let items = items.iter().map(|item| self.value(item, as_text));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Data::Mapping { entries, .. } => {
                let mut object = Map::new();
                let mut merged = Vec::new();
                for entry in entries {
                    if is_merge(&entry.key) {
                        merged.push(&entry.value);
                        continue;
                    }
                    let range = entry.key.range.clone();
                    let Some(name) = key_name(&entry.key) else {
                        return Err(Fault {
                            what: "a key must be text".to_string(),
                            range,
                        });
                    };
                    self.path.push(name);
                    let as_text = as_text || reads_as_text(&self.path);
                    let value = self.value(&entry.value, as_text)?;
                    self.path.pop();
                    if object.insert(name.to_string(), value).is_some() {
                        return Err(Fault {
                            what: format!("key `{name}` is there twice"),
                            range,
                        });
                    }
                }
                for source in merged {
                    self.merge(&mut object, source)?;
                }
                Value::Object(object)
            }
            Data::Alias(_) => match self.tree.resolved(node) {
                Some(target) => self.value(target, as_text)?,
                None => return Err(fault("an alias within its own anchor".to_string())),
            },
        };
        self.depth -= 1;
        Ok(value)
    }

    /// Adds the entries of `source`, a mapping or a list of mappings, that are not there.
    fn merge(&mut self, object: &mut Map<String, Value>, source: &'tree Node) -> Result<(), Fault> {
        let wrong = || Fault {
            what: "`<<` takes a mapping or a list of mappings".to_string(),
            range: source.range.clone(),
        };
        let sources = match self.value(source, false)? {
            Value::Array(items) => items,
            item => vec![item],
        };
        for source in sources {
            let Value::Object(source) = source else {
                return Err(wrong());
            };
            for (name, value) in source {
                object.entry(name).or_insert(value);
            }
        }
        Ok(())
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&str>,
    as_text: bool,
) -> Result<Value, String> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        Some("str") => return Ok(text.into()),
        None if !plain => return Ok(text.into()),
        _ => {}
    }
    let value = resolve(text)?;
    let fits = match tag {
        Some("int") => value.is_i64() || value.is_u64(),
        Some("float") => value.is_number(),
        Some("bool") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(_) => false,
        None => true,
    };
    if !fits {
        return Err("this value does not fit its tag".to_string());
    }
    // A number that reads back as it is written is left to its key's type.
    let reads_back = match &value {
        Value::Number(number) => number.to_string().as_str() == text,
        _ => true,
    };
    Ok(if as_text && !reads_back {
        text.into()
    } else {
        value
    })
}

/// What a word without quotes stands for (YAML 1.2, core schema, as the YAML library has it).
fn resolve(text: &str) -> Result<Value, String> {
    if is_null(text) {
        return Ok(Value::Null);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (text == "0" || !text.starts_with('0')) && text.len() < 19 {
        return Ok(text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from));
    }
    let special = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let first = text.as_bytes().first().copied().unwrap_or_default();
    let may_be_special = matches!(
        first,
        b'0'..=b'9' | b'+' | b'-' | b'.' | b't' | b'T' | b'f' | b'F'
    ) && text.bytes().all(special)
        && text.len() <= 400
        && !matches!(text, "-" | "---" | "...");
    if !may_be_special {
        return Ok(text.into());
    }
    Ok(match serde_yaml::from_str(text) {
        Ok(serde_yaml::Value::Bool(value)) => value.into(),
        Ok(serde_yaml::Value::Number(number)) => number_to_json(&number)?.into(),
        _ => text.into(),
    })
}

fn number_to_json(number: &serde_yaml::Number) -> Result<Number, String> {
    if let Some(value) = number.as_u64() {
        return Ok(value.into());
    }
    if let Some(value) = number.as_i64() {
        return Ok(value.into());
    }
    number
        .as_f64()
        .and_then(Number::from_f64)
        .ok_or_else(|| "this number cannot be used".to_string())
}
