//! YAML text to JSON values, the one shape that the rest of the crate works on.

use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

use crate::error::SettingsError;

/// Parses a configuration's text. An empty text is `null`; merge keys (`<<`) are applied.
///
/// Names of keys become text, so that `12345:` and `"12345":` are one key.
///
/// # Errors
/// Text that is not YAML, several documents, a key given twice, a tag, a number that JSON cannot hold.
pub fn parse_yaml(text: &str) -> Result<Value, SettingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let syntax = |what: String| SettingsError::Syntax { path: None, what };
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Value::Null);
    }
    let mut yaml: Yaml = serde_yaml::from_str(text).map_err(|error| syntax(error.to_string()))?;
    yaml.apply_merge()
        .map_err(|error| syntax(error.to_string()))?;
    to_json(yaml).map_err(syntax)
}

fn to_json(yaml: Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::String(text) => Value::String(text),
        Yaml::Number(number) => Value::Number(number_to_json(&number)?),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let key = key_text(&key)?;
                if object.contains_key(&key) {
                    return Err(format!("key `{key}` is there twice"));
                }
                object.insert(key, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => return Err(format!("tag `{}` has no meaning here", tagged.tag)),
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
        .ok_or_else(|| format!("number `{number}` cannot be used"))
}

fn key_text(key: &Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) => Ok(value.to_string()),
        _ => Err("a key must be text".to_string()),
    }
}
