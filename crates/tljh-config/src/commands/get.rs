//! `tljh-config get KEY`.

use serde_json::{Map, Value};
use tljh_settings::edit::split_path;
use tljh_settings::{Lookup, UnknownKey, effective, lookup};

use super::show::{to_json, to_yaml};
use super::{Target, print};
use crate::cli::GetArgs;
use crate::error::Error;

/// Prints the value that holds for a key.
pub fn run(target: &Target, words: &GetArgs) -> Result<(), Error> {
    let document = target.store()?.read()?;
    let path = split_path(&words.key_path)?;
    let value = value_of(&effective(document.value()), &path, target)?;
    if words.json {
        return print(&to_json(&value));
    }
    print(&match &value {
        Value::Null => String::new(),
        Value::String(text) => format!("{text}\n"),
        Value::Bool(_) | Value::Number(_) => format!("{value}\n"),
        Value::Array(_) | Value::Object(_) => to_yaml(&value),
    })
}

/// What `tree` holds at `path`; for a known key that it leaves out the default, if there is one.
pub fn value_of(tree: &Value, path: &[&str], target: &Target) -> Result<Value, Error> {
    let there = path.iter().try_fold(tree, |value, part| value.get(part));
    if let Some(value) = there {
        return Ok(value.clone());
    }
    match lookup(path) {
        Lookup::Key { key, .. } if key.name == path.join(".") => Ok(key.default.value()),
        Lookup::Key { .. } => Ok(Value::Null),
        Lookup::Section => Ok(Value::Object(Map::new())),
        Lookup::Unknown(nearest) => Err(Error::NoSuchKey {
            unknown: UnknownKey {
                key: path.join("."),
                nearest: nearest.clone(),
            },
            instead: match nearest {
                Some(nearest) => format!("{} get {nearest}", target.program()),
                None => format!("{} show --effective", target.program()),
            },
        }),
    }
}
