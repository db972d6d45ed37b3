//! What holds a change of a Python environment back: the hub's version, and what installed packages need.

use std::collections::BTreeSet;
use std::path::Path;

use tljh_machine::files;

use crate::error::UserEnvError;
use crate::manifest::{self, HUB, Package};

/// What has to match the hub stays.
pub fn hub_pin(installed: &[Package]) -> Vec<String> {
    installed
        .iter()
        .filter(|package| package.is(HUB))
        .map(|package| format!("jupyterhub=={}", package.version))
        .collect()
}

/// Python packages that conda installed stay as they are: pip would take away files that conda's records name.
pub fn condas_pins(environment: &Path) -> Result<Vec<String>, UserEnvError> {
    Ok(manifest::condas_in_pythons_words(environment)?
        .iter()
        .map(|package| format!("{}=={}", package.name, package.version))
        .collect())
}

/// What the installed packages need of others, but for those in `moving`, whose needs move along.
pub fn installed_needs(
    environment: &Path,
    moving: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, UserEnvError> {
    let mut needs = BTreeSet::new();
    for folder in manifest::metadata_folders(environment)? {
        let Some(metadata) = files::read_optional(&folder.join("METADATA")).unwrap_or_default()
        else {
            continue;
        };
        let name = manifest::headers(&metadata, "Name").next();
        if name.is_some_and(|name| moving.contains(manifest::normalize(name).as_str())) {
            continue;
        }
        needs.extend(manifest::headers(&metadata, "Requires-Dist").filter_map(as_constraint));
    }
    Ok(needs)
}

/// A need as a constraint: without the extras that constraints may not have; none where it limits no version, or
/// belongs to an extra.
fn as_constraint(need: &str) -> Option<String> {
    let (need, marker) = need.split_once(';').unwrap_or((need, ""));
    if marker.contains("extra") || need.contains('@') || !need.contains(['<', '>', '=', '~']) {
        return None;
    }
    let need = match (need.find('['), need.find(']')) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", &need[..begin], &need[end + 1..])
        }
        _ => need.to_string(),
    };
    let marker = marker.trim();
    Some(if marker.is_empty() {
        need.trim().to_string()
    } else {
        format!("{} ; {marker}", need.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_become_constraints_unless_they_are_extras() {
        let constraint = |need: &str| as_constraint(need);
        assert_eq!(constraint("a>=1,<2").as_deref(), Some("a>=1,<2"));
        assert_eq!(constraint("a[x,y]>=1").as_deref(), Some("a>=1"));
        assert_eq!(
            constraint("a<2; python_version < '3.9'").as_deref(),
            Some("a<2 ; python_version < '3.9'")
        );
        assert_eq!(constraint("a"), None);
        assert_eq!(constraint("a>=1; extra == 'test'"), None);
        assert_eq!(constraint("a @ https://example.org/a.whl"), None);
    }
}
