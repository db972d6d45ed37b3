//! What is wrong with a value, in words that can leave the value out.

use serde_json::Value;

use crate::place::Step;

/// What is wrong with a value, or with a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The way from the key to the part.
    pub place: Vec<Step>,
    /// Whether a name within a mapping is wrong, not what it stands for.
    pub in_name: bool,
    /// The value as it is shown to people; may be a secret.
    found: String,
    wanted: String,
}

impl Flaw {
    pub(super) fn of(value: &Value, wanted: &str) -> Self {
        let wanted = wanted.to_string();
        Self {
            place: Vec::new(),
            in_name: false,
            found: shown(value),
            wanted,
        }
    }

    pub(super) fn below(mut self, step: Step) -> Self {
        self.place.insert(0, step);
        self
    }

    /// What is wrong and what is wanted, without the value if it is a secret.
    pub fn words(&self, secret: bool) -> String {
        let found = if secret && self.found.starts_with('`') {
            "`***`"
        } else {
            &self.found
        };
        format!("is {found}, wanted {}", self.wanted)
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_string(),
        Value::String(text) if text.is_empty() => "empty".to_string(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "a mapping".to_string(),
        other => format!("`{other}`"),
    }
}
