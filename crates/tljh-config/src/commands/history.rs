//! `tljh-config history`.

use std::time::SystemTime;

use chrono::{DateTime, Local, SecondsFormat};
use serde_json::json;
use tljh_machine::Paths;
use tljh_machine::history::{History, Version};
use tljh_settings::parse_yaml;

use super::change::changed_keys;
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
        let changes = changed(versions.get(index + 1), version);
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
fn changed(before: Option<&Version>, after: &Version) -> Vec<String> {
    // What worked once can be read; should it not, it differs in nothing that could be named.
    let values = |version: &Version| parse_yaml(&version.text).unwrap_or_default();
    changed_keys(&before.map(values).unwrap_or_default(), &values(after))
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
            changed(Some(&before), &after),
            ["limits.memory", "users.admin"]
        );
        assert_eq!(
            changed(None, &before),
            ["http.port", "limits.memory", "users.admin"]
        );
        assert_eq!(changed(Some(&before), &before), Vec::<String>::new());
    }
}
