//! Secrets, taken out of what people see.
//!
//! A value counts as secret when a name on its way says so, when another place of the same file has it as a
//! secret, or when it is the user part of a URL. Switches and empty values are shown: they are no secrets.

use serde_json::Value;

use crate::edit::Document;
use crate::secret::{is_secret, names_a_secret};

/// What stands in the place of a secret.
pub const MASK: &str = "***";
/// What stands in the place of a secret that is another one than before.
const CHANGED: &str = "*** (changed)";

/// `value` with its secrets masked.
pub fn redact(value: &Value) -> Value {
    Redaction::of(value).redact(value, Some(value), &mut Vec::new())
}

/// The text of `document` with its secrets masked, those in comments too; secrets that differ from
/// `before` say so.
///
/// Layout and comments stay where the text can be edited; otherwise the values alone are written.
pub fn redact_text(document: &Document, before: &Document) -> String {
    let redaction = Redaction::of(document.value());
    let mut edits = Vec::new();
    let root = redaction.redact(document.value(), Some(before.value()), &mut Vec::new());
    differences(document.value(), &root, &mut Vec::new(), &mut edits);
    let mut masked = document.clone();
    let edited = edits
        .iter()
        .try_for_each(|(path, value)| masked.set(path, value));
    match edited {
        Ok(()) => redaction.without_comments(&masked.to_string()),
        Err(_) => serde_yaml::to_string(&root).unwrap_or_default(),
    }
}

/// The secrets of one file.
struct Redaction {
    values: Vec<String>,
}

impl Redaction {
    fn of(root: &Value) -> Self {
        let mut values = Vec::new();
        collect(root, &mut Vec::new(), &mut values);
        Self { values }
    }

    fn redact<'value>(
        &self,
        value: &'value Value,
        before: Option<&Value>,
        path: &mut Vec<&'value str>,
    ) -> Value {
        match value {
            Value::Object(object) => {
                let mut masked = serde_json::Map::new();
                for (name, value) in object {
                    path.push(name);
                    let before = before.and_then(|before| before.get(name));
                    masked.insert(name.clone(), self.redact(value, before, path));
                    path.pop();
                }
                Value::Object(masked)
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let before = before.and_then(|before| before.get(index));
                    self.redact(item, before, path)
                })
                .collect(),
            Value::Null | Value::Bool(_) => value.clone(),
            Value::String(text) if text.is_empty() => value.clone(),
            Value::String(_) | Value::Number(_) => {
                let secret = is_secret(path)
                    || value
                        .as_str()
                        .is_some_and(|text| self.values.iter().any(|value| value == text));
                match value.as_str() {
                    _ if secret && before == Some(value) => MASK.into(),
                    _ if secret => CHANGED.into(),
                    Some(text) => without_user_part(text).into(),
                    None => value.clone(),
                }
            }
        }
    }

    /// Masks what looks like a disabled setting with a secret, and secrets that a comment repeats.
    fn without_comments(&self, text: &str) -> String {
        let mut masked = String::new();
        for line in text.split_inclusive('\n') {
            let start = line
                .match_indices('#')
                .map(|(start, _)| start)
                .find(|start| *start == 0 || line[..*start].ends_with([' ', '\t']));
            let (rest, comment) = line.split_at(start.unwrap_or(line.len()));
            masked.push_str(rest);
            let setting = comment
                .find([':', '='])
                .filter(|end| names_a_secret(comment[..*end].trim()));
            match setting {
                Some(end) => {
                    masked.push_str(&comment[..=end]);
                    masked.push(' ');
                    masked.push_str(MASK);
                    masked.push_str(&comment[comment.trim_end_matches(['\r', '\n']).len()..]);
                }
                None => {
                    let comment = self
                        .values
                        .iter()
                        .filter(|value| value.len() >= 4)
                        .fold(comment.to_string(), |text, value| text.replace(value, MASK));
                    masked.push_str(&without_user_part(&comment));
                }
            }
        }
        masked
    }
}

/// The secrets' texts in `value`.
fn collect<'value>(value: &'value Value, path: &mut Vec<&'value str>, values: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                path.push(name);
                collect(value, path, values);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, values)),
        Value::String(text) if !text.is_empty() && is_secret(path) => values.push(text.clone()),
        _ => {}
    }
}

/// The places where `masked` differs from `value`, as deep as mappings go.
fn differences<'value>(
    value: &'value Value,
    masked: &Value,
    path: &mut Vec<&'value str>,
    edits: &mut Vec<(Vec<&'value str>, Value)>,
) {
    match (value, masked) {
        (Value::Object(object), Value::Object(masked)) => {
            for (name, value) in object {
                path.push(name);
                differences(value, &masked[name], path, edits);
                path.pop();
            }
        }
        _ if value != masked => edits.push((path.clone(), masked.clone())),
        _ => {}
    }
}

/// `text` without the user names and passwords of the URLs in it.
fn without_user_part(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_string();
    for part in parts {
        masked.push_str("://");
        let host = part
            .find(|character: char| character.is_whitespace() || "/\"'?#".contains(character))
            .unwrap_or(part.len());
        match part[..host].rfind('@') {
            Some(end) => {
                masked.push_str(MASK);
                masked.push_str(&part[end..]);
            }
            None => masked.push_str(part),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masked(text: &str) -> String {
        let document = Document::parse(text).unwrap();
        redact_text(&document, &document)
    }

    #[test]
    fn secrets_are_masked_and_the_rest_stays_as_it_is() {
        let text = "# head\nauth:\n  DummyAuthenticator:\n    password: hunter2 # old: hunter1x\n  \
                    GenericOAuthenticator: {client_secret: \"abc\", token_url: https://x.org/t}\nhttp: {port: 81}\n";
        assert_eq!(
            masked(text),
            text.replace("hunter2", "'***'").replace("\"abc\"", "'***'")
        );
    }

    #[test]
    fn names_of_people_switches_and_lengths_are_no_secrets() {
        let text = "users:\n  extra_user_groups:\n    secret-team: [ada]\n\
                    auth:\n  NativeAuthenticator:\n    check_common_password: true\n    minimum_password_length: 10\n";
        assert_eq!(masked(text), text);
    }

    #[test]
    fn comments_and_urls_give_no_secret_away() {
        let text = masked(
            "a:\n  password: hunter2\n  # password: older1\n  # was hunter2 once\n  proxy: http://u:p@host:1/x\n",
        );
        assert_eq!(
            text,
            "a:\n  password: '***'\n  # password: ***\n  # was *** once\n  proxy: http://***@host:1/x\n"
        );
    }

    #[test]
    fn a_secret_behind_an_anchor_is_masked_at_both_ends() {
        let text =
            masked("x: &p hunter2\nauth:\n  A:\n    password: *p\n    list: [{token: hunter3}]\n");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn a_changed_secret_says_that_it_changed_and_no_more() {
        let before = Document::parse("a: {token: one1}\nb: {token: two2}\n").unwrap();
        let after = Document::parse("a: {token: one1}\nb: {token: new2}\n").unwrap();
        assert_eq!(
            redact_text(&after, &before),
            "a: {token: '***'}\nb: {token: '*** (changed)'}\n"
        );
    }

    #[test]
    fn values_are_masked_in_lists_too() {
        let value = json!({"services": {"x": [{"api_token": "t", "n": 1}]}, "password": 12});
        assert_eq!(
            redact(&value),
            json!({"services": {"x": [{"api_token": "***", "n": 1}]}, "password": "***"})
        );
    }
}
