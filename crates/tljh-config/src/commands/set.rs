//! `tljh-config set KEY VALUE`.

use std::io::Read as _;

use serde_json::Value;
use tljh_settings::edit::split_path;
use tljh_settings::{KEYS, Kind, Lookup, lookup};

use super::Target;
use super::change::Change;
use crate::cli::SetArgs;
use crate::error::Error;

/// Sets a key. The type in the table of keys decides what the word means, unless a flag does.
pub fn run(target: &Target, words: &SetArgs) -> Result<(), Error> {
    let flags = match (words.string, words.json) {
        (true, _) => "set --string",
        (_, true) => "set --json",
        _ => "set",
    };
    let (verb, after) = if words.stdin {
        (format!("{flags} --stdin"), "")
    } else {
        (flags.to_string(), " VALUE")
    };
    let change = Change::of_key(&verb, &words.key_path, after);
    // Before the lock is taken: whoever writes to standard input may be slow.
    let path = split_path(&words.key_path)?;
    target.store()?;
    let word = match &words.value {
        Some(word) => word.clone(),
        None => read_word()?,
    };
    let value = meaning(target, &change, words, &path, &word)?;
    change.make(target, |document| {
        document.set(&path, &value)?;
        Ok(Vec::new())
    })
}

/// All of standard input, without one newline at its end.
fn read_word() -> Result<String, Error> {
    let mut word = String::new();
    std::io::stdin()
        .read_to_string(&mut word)
        .map_err(Error::Input)?;
    if word.ends_with('\n') {
        word.pop();
    }
    Ok(word)
}

fn meaning(
    target: &Target,
    change: &Change<'_>,
    words: &SetArgs,
    path: &[&str],
    word: &str,
) -> Result<Value, Error> {
    let key_path = words.key_path.as_str();
    let found = lookup(path);
    let value = match &found {
        _ if words.json => {
            return serde_json::from_str(word).map_err(|error| Error::Json {
                key: key_path.to_string(),
                line: error.line(),
                column: error.column(),
            });
        }
        _ if words.string => word.into(),
        Lookup::Key { kind, .. } => kind.parse_word(word),
        _ => Kind::Json.parse_word(word),
    };
    match (&found, value) {
        // Upstream documents `set users.extra_user_groups.GROUP USER`, which stores text where the
        // hub needs a list.
        (_, Value::String(name)) if is_group(path) => Ok(Value::Array(vec![name.into()])),
        (Lookup::Key { kind, key }, Value::String(value))
            if target.validate && kind.is_list() && key.name == key_path =>
        {
            Err(Error::List {
                key: key_path.to_string(),
                instead: format!("{} add-item {key_path} {value}", target.program()),
            })
        }
        (Lookup::Section, _) if target.validate => Err(Error::Section {
            key: key_path.to_string(),
            example: key_in(key_path).to_string(),
            forced: change.forced(target),
        }),
        (_, value) => Ok(value),
    }
}

/// A key below the section.
fn key_in(section: &str) -> &'static str {
    let inside = |name: &&str| {
        name.strip_prefix(section)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    KEYS.iter()
        .map(|key| key.name)
        .find(inside)
        .unwrap_or("auth.<Class>.<trait>")
}

fn is_group(path: &[&str]) -> bool {
    matches!(path, ["users", "extra_user_groups", _])
}
