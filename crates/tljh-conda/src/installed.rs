//! What an environment holds, by the records in its `conda-meta`.

use std::collections::HashSet;
use std::path::Path;

use rattler_conda_types::{PackageName, PrefixRecord, RepoDataRecord};

use crate::error::CondaError;

/// The packages of `prefix`, by name; none if there is no such environment.
///
/// # Errors
/// A record is damaged or cannot be read.
pub fn read(prefix: &Path) -> Result<Vec<PrefixRecord>, CondaError> {
    let mut records: Vec<PrefixRecord> =
        PrefixRecord::collect_from_prefix(prefix).map_err(|source| CondaError::Installed {
            path: prefix.into(),
            source,
        })?;
    records.sort_by(|one, other| name(&one.repodata_record).cmp(name(&other.repodata_record)));
    Ok(records)
}

/// A package's name.
pub fn name(record: &RepoDataRecord) -> &PackageName {
    &record.package_record.name
}

/// `names` and all installed packages that need them, directly or not.
pub fn with_dependents(
    installed: &[RepoDataRecord],
    names: &[PackageName],
) -> HashSet<PackageName> {
    let mut going: HashSet<PackageName> = names.iter().cloned().collect();
    loop {
        let more: Vec<_> = installed
            .iter()
            .filter(|record| !going.contains(name(record)))
            .filter(|record| {
                needs(record).any(|need| going.iter().any(|gone| gone.as_normalized() == need))
            })
            .map(|record| name(record).clone())
            .collect();
        if more.is_empty() {
            return going;
        }
        going.extend(more);
    }
}

/// The names of what a package needs.
fn needs(record: &RepoDataRecord) -> impl Iterator<Item = String> {
    record.package_record.depends.iter().map(|need| {
        let need = need.rsplit("::").next().unwrap_or(need).trim();
        let end = need
            .find(|letter: char| letter.is_whitespace() || "=<>!~[".contains(letter))
            .unwrap_or(need.len());
        need[..end].to_lowercase()
    })
}
