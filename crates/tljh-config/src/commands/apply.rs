//! `tljh-config apply -f FILE`.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use tljh_settings::edit::{Document, EditError};

use super::Target;
use super::change::Change;
use crate::error::Error;

/// Merges a YAML mapping into the file, as RFC 7386 merges JSON.
pub fn run(target: &Target, file: &Path) -> Result<(), Error> {
    target.store()?;
    let patch = read(file)?;
    let change = Change {
        command: format!("apply -f {}", file.display()),
        key_path: None,
    };
    change.make(target, |document| {
        merge(document, &mut Vec::new(), patch.value())?;
        Ok(Vec::new())
    })
}

fn read(file: &Path) -> Result<Document, Error> {
    let mut text = String::new();
    let from_input = file == Path::new("-");
    let read = if from_input {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|source| match from_input {
        true => Error::Input(source),
        false => Error::Read {
            path: file.to_path_buf(),
            source,
        },
    })?;
    Document::parse(&text).map_err(|error| match from_input {
        true => error.into(),
        false => error.in_file(file).into(),
    })
}

fn merge<'patch>(
    document: &mut Document,
    path: &mut Vec<&'patch str>,
    patch: &'patch Value,
) -> Result<(), EditError> {
    match patch {
        Value::Object(entries) if !entries.is_empty() || path.is_empty() => {
            for (name, value) in entries {
                path.push(name);
                merge(document, path, value)?;
                path.pop();
            }
            Ok(())
        }
        Value::Object(_) if document.get(path).is_some_and(Value::is_object) => Ok(()),
        Value::Null if document.get(path).is_none() => Ok(()),
        Value::Null => document.unset(path),
        value => document.set(path, value),
    }
}
