//! An edit of the file, checked before it is written.

use serde_json::Value;
use tljh_settings::edit::{Document, split_path};
use tljh_settings::{Checked, Key, Kind, Lookup, UnknownKey, check, lookup};

use super::Target;
use crate::error::Error;

/// A change that a subcommand wants.
pub struct Edit<'words> {
    /// Subcommand, as it is typed.
    pub verb: &'static str,
    /// Dotted path, as it is typed.
    pub key_path: &'words str,
    /// The value, as it is typed.
    pub value: Option<&'words str>,
}

impl Edit<'_> {
    /// Makes the change under the file's lock, checks the whole file, writes it, and says what applies it.
    ///
    /// Where the file had wrong values before, a change that leaves fewer of them is written, so that
    /// they can be corrected one after the other.
    pub fn apply(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Document, &[&str]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = split_path(self.key_path)?;
        let changed = target.store()?.edit(|document| {
            let before = document.value().clone();
            change(document, &path)?;
            let changed = *document.value() != before;
            if target.validate && changed {
                self.accept(target, &path, &check(&before), &check(document.value()))?;
            }
            Ok::<_, Error>(changed)
        })?;
        if changed {
            self.tell(&path);
        } else {
            log::info!("{}; nothing is changed", self.already());
        }
        Ok(())
    }

    fn accept(
        &self,
        target: &Target,
        path: &[&str],
        before: &Checked,
        after: &Checked,
    ) -> Result<(), Error> {
        if !after.problems.is_empty() && after.problems.len() >= before.problems.len() {
            return Err(Error::Refused {
                problems: after.problems.clone(),
                forced: self.forced(target),
            });
        }
        for problem in &after.problems {
            log::warn!("still wrong in the file: {problem}");
        }
        match after
            .unknown
            .iter()
            .find(|key| !before.unknown.contains(key))
        {
            None => Ok(()),
            Some(unknown) => {
                let unknown = match lookup(path) {
                    Lookup::Unknown(nearest) => UnknownKey {
                        key: self.key_path.to_string(),
                        nearest,
                    },
                    _ => unknown.clone(),
                };
                Err(Error::Unknown {
                    unknown,
                    forced: self.forced(target),
                })
            }
        }
    }

    /// The same command without a check.
    pub fn forced(&self, target: &Target) -> String {
        // The value itself may be a secret, or need quotes.
        let value = if self.value.is_some() { " VALUE" } else { "" };
        let Self { verb, key_path, .. } = self;
        format!(
            "{} --no-validate {verb} {key_path}{value}",
            target.program()
        )
    }

    fn already(&self) -> String {
        match (self.verb, self.value) {
            ("add-item", Some(item)) => format!("`{item}` is already in `{}`", self.key_path),
            _ => format!("`{}` has that value already", self.key_path),
        }
    }

    fn tell(&self, path: &[&str]) {
        if warn_if_unused(self.key_path) {
            return;
        }
        let component = if path.first() == Some(&"http") {
            " proxy"
        } else {
            ""
        };
        log::info!("hint: to apply the change, run `sudo tljh-config reload{component}`");
    }
}

/// Warns about a key that nothing reads in this version; whether it is one.
pub fn warn_if_unused(key_path: &str) -> bool {
    let path: Vec<&str> = key_path.split('.').collect();
    if let Lookup::Key {
        key: Key {
            unused: Some(why), ..
        },
        ..
    } = lookup(&path)
    {
        log::warn!("`{key_path}` has no effect: {why}");
        return true;
    }
    false
}

/// The item that a word stands for in the list at `path`.
pub fn item(path: &[&str], word: &str) -> Value {
    match lookup(path) {
        Lookup::Key {
            kind: Kind::Json, ..
        }
        | Lookup::Unknown(_) => Kind::Json.parse_word(word),
        _ => word.into(),
    }
}
