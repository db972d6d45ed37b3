//! Edits of a configuration's text that leave the rest of the text as it is.
//!
//! Each edit is made twice: on the text, by cutting and inserting bytes, and on the values. The edited text
//! is parsed again, and refused unless it holds exactly the edited values. So a text that the editor
//! does not master gives an error, never a wrong file.

use std::fmt;

use serde_json::{Map, Value};
use tljh_terminal::Hinted;

use crate::error::SettingsError;
use crate::tree::Tree;
use crate::yaml::{read, syntax};

mod flow;
mod items;
mod lines;
mod replace;
mod text;
mod write;

use text::Editor;

/// An edit could not be made; the document is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The text cannot be read.
    #[error(transparent)]
    Parse(#[from] SettingsError),
    /// There is nothing at the place to unset or to remove from.
    #[error("`{path}` is not set")]
    Absent {
        /// Dotted path.
        path: String,
    },
    /// The value at the place has no items.
    #[error("`{path}` is not a list")]
    NotAList {
        /// Dotted path.
        path: String,
    },
    /// The list does not hold the item.
    #[error("`{item}` is not in `{path}`")]
    NoSuchItem {
        /// Dotted path.
        path: String,
        /// The item, as JSON or bare text.
        item: String,
    },
    /// The path has an empty part.
    #[error("`{path}` is not a path of names with points between them")]
    Path {
        /// The path as given.
        path: String,
    },
    /// The text uses YAML in a way that hides the place from an editor, such as an alias.
    #[error("the way in which the file writes `{path}` cannot be edited safely")]
    Unsafe {
        /// Dotted path.
        path: String,
    },
}

impl Hinted for EditError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Parse(error) => error.hint(),
            Self::Unsafe { .. } => Some("change it by hand: `sudo tljh-config edit`".to_string()),
            Self::Absent { .. } | Self::NotAList { .. } | Self::NoSuchItem { .. } => {
                Some("see what is set: `sudo tljh-config show`".to_string())
            }
            Self::Path { .. } => Some("see examples: `tljh-config set --help`".to_string()),
        }
    }
}

/// Splits a dotted path into its names.
///
/// # Errors
/// [`EditError::Path`] if a name is empty.
pub fn split_path(path: &str) -> Result<Vec<&str>, EditError> {
    let parts: Vec<&str> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(EditError::Path {
            path: path.to_string(),
        });
    }
    Ok(parts)
}

/// A configuration's text and its values.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    tree: Tree,
    value: Value,
}

impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// As [`parse_yaml`]; and a text that is no mapping.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        Self::of(text.to_string())
    }

    fn of(text: String) -> Result<Self, SettingsError> {
        let (tree, value) = read(&text).map_err(|fault| syntax(&text, &fault))?;
        let value = match value {
            Value::Null => Value::Object(Map::new()),
            value @ Value::Object(_) => value,
            _ => {
                let what = "it holds no mapping, lines such as `http:`".to_string();
                return Err(SettingsError::Syntax { path: None, what });
            }
        };
        Ok(Self { text, tree, value })
    }

    /// The values of the whole document; always an object.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value at `path`, if any.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.value, |value, part| value.get(part))
    }

    /// Sets the value at `path`, making parents, in place of whatever was there.
    ///
    /// # Errors
    /// [`EditError::Unsafe`].
    pub fn set(&mut self, path: &[&str], value: &Value) -> Result<(), EditError> {
        if self.get(path) == Some(value) {
            return Ok(());
        }
        let mut expected = self.value.clone();
        set_value(&mut expected, path, value.clone());
        let edited = self.editor().set(path, value);
        self.keep(path, expected, edited)
    }

    /// Removes the value at `path`, and parents that it leaves empty.
    ///
    /// # Errors
    /// [`EditError::Absent`], [`EditError::Unsafe`].
    pub fn unset(&mut self, path: &[&str]) -> Result<(), EditError> {
        if path.is_empty() || self.get(path).is_none() {
            return Err(EditError::Absent {
                path: path.join("."),
            });
        }
        let alone = |depth: &usize| {
            self.get(&path[..*depth])
                .and_then(Value::as_object)
                .is_some_and(|map| map.len() == 1)
        };
        // The outermost mapping that would be left empty goes as a whole.
        let depth = (1..path.len())
            .rev()
            .take_while(alone)
            .last()
            .unwrap_or(path.len());
        let path = &path[..depth];
        let mut expected = self.value.clone();
        if let Some((last, parents)) = path.split_last() {
            let parent = parents
                .iter()
                .try_fold(&mut expected, |value, part| value.get_mut(part));
            parent
                .and_then(Value::as_object_mut)
                .map(|object| object.shift_remove(*last));
        }
        let edited = self.editor().unset(path);
        self.keep(path, expected, edited)
    }

    fn editor(&self) -> Editor<'_> {
        Editor::new(&self.text, &self.tree)
    }

    /// Takes over the edited text only if it holds `expected`.
    fn keep(
        &mut self,
        path: &[&str],
        expected: Value,
        edited: Option<String>,
    ) -> Result<(), EditError> {
        let read = edited.and_then(|text| Self::of(text).ok());
        match read.filter(|read| read.value == expected) {
            Some(read) => {
                *self = read;
                Ok(())
            }
            None => Err(EditError::Unsafe {
                path: path.join("."),
            }),
        }
    }
}

fn nested(path: &[&str], value: &Value) -> Value {
    path.iter().rev().fold(value.clone(), |inner, part| {
        Value::Object(Map::from_iter([((*part).to_string(), inner)]))
    })
}

fn set_value(root: &mut Value, path: &[&str], value: Value) {
    let mut place = root;
    for part in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return };
        place = object.entry(*part).or_insert(Value::Null);
    }
    *place = value;
}

fn same_item(left: &Value, right: &Value) -> bool {
    let scalar = |value: &Value| !value.is_array() && !value.is_object() && !value.is_null();
    left == right || (scalar(left) && scalar(right) && item_text(left) == item_text(right))
}

fn item_text(item: &Value) -> String {
    item.as_str()
        .map_or_else(|| item.to_string(), str::to_string)
}

#[cfg(test)]
mod tests;
