//! A change of the file, checked before it is written.

use std::collections::BTreeSet;

use serde_json::Value;
use tljh_settings::edit::{Document, split_path};
use tljh_settings::{Key, Lookup, UnknownKey, check, lookup};

use super::{Target, print};
use crate::certificates::check_certificates;
use crate::difference;
use crate::error::Error;

/// A change that a subcommand wants.
pub struct Change<'words> {
    /// The command without values, which may be secrets.
    pub command: String,
    /// Dotted path as it is typed, where the command names one.
    pub key_path: Option<&'words str>,
}

impl<'words> Change<'words> {
    /// A change of one key; `values` says what follows the key on the command line.
    pub fn of_key(verb: &str, key_path: &'words str, values: &str) -> Self {
        Self {
            command: format!("{verb} {key_path}{values}"),
            key_path: Some(key_path),
        }
    }

    /// Makes the change under the file's lock, checks the whole file, writes it, and says what applies it.
    ///
    /// `change` gives the parts that were done before, in words. Where the file had wrong values before, a
    /// change that leaves fewer of them is written, so that they can be corrected one after the other. A dry
    /// run prints the difference instead.
    pub fn make(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Document) -> Result<Vec<String>, Error>,
    ) -> Result<(), Error> {
        if let Some(key_path) = self.key_path {
            split_path(key_path)?;
        }
        let checked = |document: &mut Document| {
            let before = document.clone();
            let notices = change(document)?;
            if target.validate && document.value() != before.value() {
                self.accept(target, before.value(), document.value())?;
            }
            Ok::<_, Error>((before, document.clone(), notices))
        };
        let store = target.store()?;
        let (before, after, notices) = if target.dry_run {
            checked(&mut store.read()?)?
        } else {
            store.edit(checked)?
        };
        if before.value() == after.value() {
            log::info!("{}; nothing is changed", self.already(&notices));
            return Ok(());
        }
        for notice in notices {
            log::info!("{notice}");
        }
        if target.dry_run {
            log::info!("dry run: nothing is written");
            print(&difference::unified(store.path(), &before, &after))
        } else {
            tell(before.value(), after.value());
            Ok(())
        }
    }

    fn accept(&self, target: &Target, before: &Value, after: &Value) -> Result<(), Error> {
        let (before, after) = (check(before), check(after));
        if !after.problems.is_empty() && after.problems.len() >= before.problems.len() {
            return Err(Error::Refused {
                problems: after.problems,
                forced: self.forced(target),
            });
        }
        for problem in &after.problems {
            log::warn!("still wrong in the file: {problem}");
        }
        let Some(unknown) = after
            .unknown
            .into_iter()
            .find(|key| !before.unknown.contains(key))
        else {
            return Ok(());
        };
        let unknown = match self.key_path.map(|path| (path, lookup(&split(path)))) {
            Some((path, Lookup::Unknown(nearest))) => UnknownKey {
                key: path.to_string(),
                nearest,
            },
            _ => unknown,
        };
        Err(Error::Unknown {
            unknown,
            forced: self.forced(target),
        })
    }

    /// The same command without a check.
    pub fn forced(&self, target: &Target) -> String {
        format!("{} --no-validate {}", target.program(), self.command)
    }

    fn already(&self, notices: &[String]) -> String {
        match self.key_path {
            _ if !notices.is_empty() => notices.join("; "),
            Some(key_path) => format!("`{key_path}` has that value already"),
            None => "the configuration holds all that already".to_string(),
        }
    }
}

/// Says what applies the changes between two configurations, and which of them have no effect.
pub fn tell(before: &Value, after: &Value) {
    let mut changed = changed_keys(before, after);
    if changed
        .iter()
        .any(|key_path| key_path.starts_with("https."))
    {
        warn_of_https(after);
    }
    changed.retain(|key_path| !warn_if_unused(key_path));
    let proxy = |key_path: &&String| matches!(split(key_path).first(), Some(&"http" | &"https"));
    let (proxy, hub): (Vec<_>, Vec<_>) = changed.iter().partition(proxy);
    let command = match (hub.is_empty(), proxy.is_empty()) {
        (true, true) => return,
        (false, true) => "sudo tljh-config reload",
        (true, false) => "sudo tljh-config reload proxy",
        (false, false) => "sudo tljh-config reload && sudo tljh-config reload proxy",
    };
    log::info!("hint: to apply the change, run `{command}`");
}

/// Warns about what HTTPS lacks: its keys are set one by one, so it is no reason to refuse a change.
fn warn_of_https(value: &Value) {
    let checked = check(value);
    for problem in &checked.incomplete {
        log::warn!("{problem}");
    }
    for problem in checked.into_settings().iter().flat_map(check_certificates) {
        log::warn!("`{}` {}", problem.key, problem.what);
    }
}

/// Warns about a key that nothing reads in this version; whether it is one.
fn warn_if_unused(key_path: &str) -> bool {
    if let Lookup::Key {
        key: Key {
            unused: Some(why), ..
        },
        ..
    } = lookup(&split(key_path))
    {
        log::warn!("`{key_path}` has no effect: {why}");
        return true;
    }
    false
}

fn split(key_path: &str) -> Vec<&str> {
    key_path.split('.').collect()
}

/// The dotted names whose values differ, sorted, as deep as either side goes.
pub fn changed_keys(before: &Value, after: &Value) -> Vec<String> {
    let mut changed = Vec::new();
    compare(Some(before), Some(after), "", &mut changed);
    changed
}

fn compare(before: Option<&Value>, after: Option<&Value>, name: &str, changed: &mut Vec<String>) {
    let sides = [before, after].map(|side| side.and_then(Value::as_object));
    if sides == [None, None] {
        if before != after {
            changed.push(name.to_string());
        }
        return;
    }
    let parts: BTreeSet<&String> = sides
        .iter()
        .flatten()
        .flat_map(|side| side.keys())
        .collect();
    for part in parts {
        let inner = if name.is_empty() {
            part.clone()
        } else {
            format!("{name}.{part}")
        };
        let [old, new] = sides.map(|side| side?.get(part));
        compare(old, new, &inner, changed);
    }
}
