//! `tljh-config history`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use chrono::{DateTime, Local, SecondsFormat};
use serde_json::{Value, json};
use tljh_machine::Paths;
use tljh_machine::history::{History, Version};
use tljh_settings::parse_yaml;

use super::{Target, print};
use crate::error::Error;

/// Prints a line for each configuration that worked.
pub fn run(target: &Target, as_json: bool) -> Result<(), Error> {
    let current = target.store()?.read()?.to_string();
    let versions = History::new(&Paths::default()).versions()?;
    if versions.is_empty() {
        log::info!(
            "no configuration was applied yet; `sudo tljh-config reload` applies the present one"
        );
        return Ok(());
    }
    let mut lines = String::new();
    for (index, version) in versions.iter().enumerate() {
        let in_file = version.text == current;
        let changes = changed_keys(versions.get(index + 1), version);
        lines += &if as_json {
            let time = local(version.time).to_rfc3339_opts(SecondsFormat::Secs, false);
            json!({"number": version.number, "time": time, "changed": changes, "in_file": in_file})
                .to_string()
        } else {
            let time = local(version.time).format("%Y-%m-%d %H:%M:%S");
            let marker = if in_file { '*' } else { ' ' };
            format!(
                "{marker}{:>4}  {time}  {}",
                version.number,
                changes.join(", ")
            )
        };
        lines.push('\n');
    }
    print(&lines)
}

fn local(time: SystemTime) -> DateTime<Local> {
    time.into()
}

/// The dotted names whose values differ; all of them for the oldest version that is kept.
fn changed_keys(before: Option<&Version>, after: &Version) -> Vec<String> {
    let before = before.map_or_else(BTreeMap::new, |version| flattened(&version.text));
    let after = flattened(&after.text);
    let mut keys: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn flattened(text: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    // What worked once can be read; should it not, it differs in nothing that could be named.
    flatten(
        String::new(),
        parse_yaml(text).unwrap_or(Value::Null),
        &mut all,
    );
    all
}

fn flatten(name: String, value: Value, all: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (part, value) in entries {
                let inner = if name.is_empty() {
                    part
                } else {
                    format!("{name}.{part}")
                };
                flatten(inner, value, all);
            }
        }
        Value::Null => {}
        value => drop(all.insert(name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version {
            number: 1,
            time: SystemTime::UNIX_EPOCH,
            text: text.into(),
        }
    }

    #[test]
    fn a_version_names_the_keys_that_it_changed() {
        let before = version("users: {admin: [ada]}\nhttp: {port: 80}\nlimits: {memory: 1G}\n");
        let after = version("# new\nusers:\n  admin: [ada, bob]\nhttp: {port: 80}\n");
        assert_eq!(
            changed_keys(Some(&before), &after),
            ["limits.memory", "users.admin"]
        );
        assert_eq!(
            changed_keys(None, &before),
            ["http.port", "limits.memory", "users.admin"]
        );
        assert_eq!(changed_keys(Some(&before), &before), Vec::<String>::new());
    }
}
