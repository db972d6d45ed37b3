//! A parsed file against the table of keys: the one home of the rules.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Problem, SettingsError, UnknownKey};
use crate::key::{FIRST_USE, KEYS, exact, is_class_name, is_section, nearest};
use crate::model::{JsonObject, Settings};
use crate::place::{Step, dotted};
use crate::rules;
use crate::secret::may_be_secret;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used like this.
    Error,
    /// It can be used, and is probably not what was meant.
    Warning,
}

/// Something worth telling about one place of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) path: Vec<Step>,
    /// Whether the key itself is meant, not its value.
    pub(crate) at_key: bool,
    /// What is wrong, without the key.
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
    /// Whether the key is one that nothing of ours reads.
    pub(crate) unknown: bool,
}

impl Finding {
    pub(crate) fn new(severity: Severity, path: &[&str], what: impl Into<String>) -> Self {
        Self {
            severity,
            path: path
                .iter()
                .map(|name| Step::Name((*name).to_string()))
                .collect(),
            at_key: false,
            what: what.into(),
            hint: None,
            unknown: false,
        }
    }

    /// The finding in one sentence.
    pub(crate) fn message(&self) -> String {
        let key = dotted(&self.path);
        match (self.unknown, key.is_empty()) {
            (true, _) => format!("unknown key `{key}`"),
            (_, true) => self.what.clone(),
            _ => format!("`{key}` {}", self.what),
        }
    }

    fn problem(&self) -> Problem {
        Problem {
            key: dotted(&self.path),
            what: self.what.clone(),
        }
    }
}

/// What a check found. The tree is complete where there are no problems.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Values that cannot be used.
    pub problems: Vec<Problem>,
    /// Values that do not go together, or lack others. The hub does without; keys are set one by one.
    pub incomplete: Vec<Problem>,
    /// What can be used and is worth a warning.
    pub warnings: Vec<Problem>,
    /// Keys that nothing of ours reads.
    pub unknown: Vec<UnknownKey>,
    pub(crate) findings: Vec<Finding>,
    tree: JsonObject,
}

/// Checks a whole configuration, as [`crate::parse_yaml`] gives it. `null` counts as empty, and a key
/// that is `null` as absent.
pub fn check(root: &Value) -> Checked {
    let mut checked = Checked {
        problems: Vec::new(),
        incomplete: Vec::new(),
        warnings: Vec::new(),
        unknown: Vec::new(),
        findings: Vec::new(),
        tree: JsonObject::new(),
    };
    match root {
        Value::Null => {}
        Value::Object(object) => {
            object
                .iter()
                .for_each(|(name, value)| checked.check_entry(&[name], value));
        }
        _ => checked.error(&[], "the file must hold a mapping, lines such as `http:`"),
    }
    checked.fill_defaults();
    let mut together = rules::check(&checked.tree);
    // What a section lacks cannot be said while its values are wrong.
    together.retain(|rule| {
        !checked
            .findings
            .iter()
            .any(|found| found.path.first() == rule.path.first() && !found.unknown)
    });
    for finding in checked.findings.iter().filter(|finding| !finding.unknown) {
        match finding.severity {
            Severity::Error => checked.problems.push(finding.problem()),
            Severity::Warning => checked.warnings.push(finding.problem()),
        }
    }
    for finding in &together {
        match finding.severity {
            Severity::Error => checked.incomplete.push(finding.problem()),
            Severity::Warning => checked.warnings.push(finding.problem()),
        }
    }
    let unused = rules::without_effect(root);
    checked.warnings.extend(unused.iter().map(Finding::problem));
    checked.findings.append(&mut together);
    checked.findings.extend(unused);
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

    fn error(&mut self, path: &[&str], what: &str) {
        self.findings
            .push(Finding::new(Severity::Error, path, what));
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
                Err(flaws) => {
                    let secret = may_be_secret(path);
                    for flaw in flaws {
                        let mut finding = Finding::new(Severity::Error, path, flaw.words(secret));
                        finding.at_key = flaw.in_name;
                        finding.path.extend(flaw.place);
                        self.findings.push(finding);
                    }
                }
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
                _ => self.error(path, "must hold further keys, not a value of its own"),
            },
            _ => {
                if let [top] = path {
                    insert(&mut self.tree, &["other", top], value.clone());
                }
                self.unknown_key(path, name);
            }
        }
    }

    /// A name close to a known one is a typing error; another one may be a plugin's, at the top only.
    fn unknown_key(&mut self, path: &[&str], name: String) {
        let nearest = nearest(&name);
        let mut finding = Finding::new(Severity::Error, path, "is no key that is known");
        finding.unknown = true;
        finding.at_key = true;
        finding.hint = nearest
            .as_ref()
            .map(|nearest| format!("did you mean `{nearest}`?"));
        if path.len() == 1 && nearest.is_none() {
            finding.severity = Severity::Warning;
            finding.hint = Some("only a plugin can use it".to_string());
        }
        self.findings.push(finding);
        self.unknown.push(UnknownKey { key: name, nearest });
    }

    fn check_class(&mut self, class: &str, value: &Value) {
        let path = ["auth", class];
        if !is_class_name(class) {
            let what = "is neither `type` nor an authenticator's class, which begins with a capital \
                        letter and holds its settings";
            self.error(&path, what);
            if let Some(finding) = self.findings.last_mut() {
                finding.at_key = true;
            }
            return;
        }
        let Value::Object(traits) = value else {
            return self.error(&path, "must hold the settings of that class");
        };
        for (name, value) in traits {
            let key = exact(&format!("auth.{class}.{name}")).filter(|_| !value.is_null());
            if let Some(Err(flaws)) = key.map(|key| key.kind.read(value)) {
                let words = flaws
                    .first()
                    .map(|flaw| flaw.words(false))
                    .unwrap_or_default();
                self.error(&["auth", class, name], &words);
            }
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
