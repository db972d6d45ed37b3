//! A parsed file against the table of keys.

use serde_json::{Map, Value};

use crate::error::{Problem, SettingsError, UnknownKey};
use crate::key::{FIRST_USE, KEYS, exact, is_class_name, is_section, nearest};
use crate::model::{JsonObject, Settings};

/// What a check found. The tree is complete where there are no problems.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Values that cannot be used.
    pub problems: Vec<Problem>,
    /// Keys that nothing of ours reads.
    pub unknown: Vec<UnknownKey>,
    tree: JsonObject,
}

/// Checks a whole configuration, as [`crate::parse_yaml`] gives it. `null` counts as empty, and a key
/// that is `null` as absent.
pub fn check(root: &Value) -> Checked {
    let mut checked = Checked {
        problems: Vec::new(),
        unknown: Vec::new(),
        tree: JsonObject::new(),
    };
    match root {
        Value::Null => {}
        Value::Object(object) => {
            object
                .iter()
                .for_each(|(name, value)| checked.check_entry(&[name], value));
        }
        _ => checked.problem(
            "",
            "the file must hold a mapping, lines such as `http:`".to_string(),
        ),
    }
    checked.fill_defaults();
    checked
}

impl Checked {
    /// The settings, if no value is wrong.
    ///
    /// # Errors
    /// All problems at once.
    pub fn into_settings(self) -> Result<Settings, SettingsError> {
        let invalid = |problems| SettingsError::Invalid {
            path: None,
            problems,
        };
        if !self.problems.is_empty() {
            return Err(invalid(self.problems));
        }
        let mut settings: Settings =
            serde_json::from_value(Value::Object(self.tree)).map_err(|error| {
                invalid(vec![Problem {
                    key: String::new(),
                    what: error.to_string(),
                }])
            })?;
        settings.unknown = self.unknown;
        Ok(settings)
    }

    fn problem(&mut self, key: &str, what: String) {
        self.problems.push(Problem {
            key: key.to_string(),
            what,
        });
    }

    fn check_entry(&mut self, path: &[&str], value: &Value) {
        let name = path.join(".");
        // A point within a name is no path: `http.port: 80` in the file is not `http: {port: 80}`.
        let whole = !path.iter().any(|part| part.contains('.'));
        if let Some(key) = exact(&name).filter(|_| whole) {
            if value.is_null() {
                return;
            }
            return match key.kind.read(value) {
                Ok(value) => insert(&mut self.tree, path, value),
                Err((place, what)) => self.problem(&format!("{name}{place}"), what),
            };
        }
        match path {
            ["auth", class] => self.check_class(class, value),
            ["services", service] if *service != "cull" => {
                insert(
                    &mut self.tree,
                    &["services", "other", service],
                    value.clone(),
                );
            }
            _ if whole && is_section(&name) => match value {
                Value::Null => {}
                Value::Object(object) => object
                    .iter()
                    .for_each(|(part, value)| self.check_entry(&[path, &[part]].concat(), value)),
                _ => self.problem(
                    &name,
                    "must hold further keys, not a value of its own".to_string(),
                ),
            },
            _ => {
                if let [top] = path {
                    insert(&mut self.tree, &["other", top], value.clone());
                }
                let nearest = nearest(&name);
                self.unknown.push(UnknownKey { key: name, nearest });
            }
        }
    }

    fn check_class(&mut self, class: &str, value: &Value) {
        let name = format!("auth.{class}");
        if !is_class_name(class) {
            let what = "is neither `type` nor an authenticator's class, which begins with a capital \
                        letter and holds its settings";
            return self.problem(&name, what.to_string());
        }
        let Value::Object(traits) = value else {
            let what = "must hold the settings of that class";
            return self.problem(&name, what.to_string());
        };
        for (name, value) in traits {
            insert(
                &mut self.tree,
                &["auth", "classes", class, name],
                value.clone(),
            );
        }
    }

    /// Adds every default that the file does not override, then drops the authenticators' empty traits.
    /// In this order: a trait that the file empties loses its default too, as upstream's merge does.
    fn fill_defaults(&mut self) {
        for key in KEYS
            .iter()
            .filter(|key| !key.name.contains('<') && !key.name.starts_with("traefik"))
        {
            let mut place: Vec<&str> = key.name.split('.').collect();
            if place.get(1) == Some(&FIRST_USE) {
                place.insert(1, "classes");
            }
            if let Some((parent, last)) = parent_of(&mut self.tree, &place) {
                parent.entry(last).or_insert(key.default.value());
            }
        }
        self.tree.remove("traefik_api");
        let classes = self
            .tree
            .get_mut("auth")
            .and_then(|auth| auth.get_mut("classes"));
        if let Some(Value::Object(classes)) = classes {
            for traits in classes.values_mut().filter_map(Value::as_object_mut) {
                traits.retain(|_, value| !value.is_null());
            }
        }
    }
}

fn insert(tree: &mut JsonObject, path: &[&str], value: Value) {
    if let Some((parent, last)) = parent_of(tree, path) {
        parent.insert(last.to_string(), value);
    }
}

/// The object that holds the last part of `path`, made where it is absent, and that part.
fn parent_of<'tree, 'path>(
    tree: &'tree mut JsonObject,
    path: &[&'path str],
) -> Option<(&'tree mut JsonObject, &'path str)> {
    let (last, parents) = path.split_last()?;
    let mut object = tree;
    for part in parents {
        object = object
            .entry(*part)
            .or_insert_with(|| Map::new().into())
            .as_object_mut()?;
    }
    Some((object, last))
}
