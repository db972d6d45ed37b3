//! `conda-meta/history`, from which conda and mamba learn what was asked for.

use std::fmt::Write as _;
use std::path::Path;

use chrono::Local;
use rattler_conda_types::{PrefixRecord, RepoDataRecord};
use tljh_machine::files;

use crate::error::CondaError;

/// Adds one change to the history of `prefix`, in a new file.
///
/// # Errors
/// The file cannot be read or written.
pub fn add(
    prefix: &Path,
    gone: &[PrefixRecord],
    come: &[RepoDataRecord],
    specs: &[String],
) -> Result<(), CondaError> {
    let path = prefix.join("conda-meta/history");
    let mut text = files::read_optional(&path)?.unwrap_or_default();
    let now = Local::now().format("%Y-%m-%d %H:%M:%S");
    // Writing to a string does not fail.
    let _ = writeln!(text, "==> {now} <==\n# cmd: tljh-user-env");
    let mut lines: Vec<_> = gone
        .iter()
        .map(|record| format!("-{}", distribution(&record.repodata_record)))
        .chain(
            come.iter()
                .map(|record| format!("+{}", distribution(record))),
        )
        .collect();
    lines.sort_by(|one, other| one[1..].cmp(&other[1..]).then(other.cmp(one)));
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    if !specs.is_empty() {
        let quoted: Vec<_> = specs.iter().map(|spec| format!("'{spec}'")).collect();
        let _ = writeln!(text, "# update specs: [{}]", quoted.join(", "));
    }
    files::write_atomically(&path, text.as_bytes(), 0o644)?;
    Ok(())
}

/// As conda writes it: `conda-forge/linux-64::python-3.12.1-hab00c5b_1_cpython`.
fn distribution(record: &RepoDataRecord) -> String {
    let package = &record.package_record;
    let channel = record.channel.as_deref().unwrap_or_default();
    format!(
        "{}/{}::{}-{}-{}",
        channel.trim_end_matches('/'),
        package.subdir,
        package.name.as_normalized(),
        package.version,
        package.build
    )
}
