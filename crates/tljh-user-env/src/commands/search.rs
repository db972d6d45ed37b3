//! `search`.

use std::fmt::Write as _;

use super::{print, print_json};
use crate::error::UserEnvError;
use crate::progress::Progress;
use crate::requirement::Requirement;
use crate::search::{Found, Version};
use crate::workshop::Workshop;

/// Of a package with hundreds of versions people want the newest.
const SHOWN: usize = 20;

/// Prints the versions of a package that can be had, newest first.
pub fn run(
    workshop: &Workshop<'_>,
    name: &Requirement,
    all: bool,
    as_json: bool,
) -> Result<(), UserEnvError> {
    let step = Progress::unlogged("asking the package index");
    let found = workshop.search(name)?;
    drop(step);
    if as_json {
        return print_json(&found);
    }
    let shown = if all { usize::MAX } else { SHOWN };
    print(&text(&found, shown))?;
    let more = found.versions.len().saturating_sub(shown);
    if more > 0 {
        log::info!("and {more} older versions, which `--all` shows");
    }
    Ok(())
}

/// The first `shown` versions, and the one that is installed.
fn text(found: &Found, shown: usize) -> String {
    let mut text = match &found.summary {
        Some(summary) => format!("{}: {summary}\n", found.name),
        None => format!("{}\n", found.name),
    };
    for (at, version) in found.versions.iter().enumerate() {
        if at < shown || version.installed {
            let _ = writeln!(text, "{}", line(version));
        }
    }
    text
}

fn line(version: &Version) -> String {
    let marker = if version.installed { '*' } else { ' ' };
    let mut line = format!("{marker} {:<16}", version.version);
    for detail in [&version.build, &version.channel].into_iter().flatten() {
        let _ = write!(line, " {detail:<20}");
    }
    if version.installed {
        line += " installed";
    } else if !version.fits {
        line += " for another Python";
    }
    line.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_channels_are_shown_where_there_are_some() {
        let version = |version: &str, build: &str, fits, installed| Version {
            version: version.into(),
            build: Some(build.into()),
            channel: Some("conda-forge".into()),
            fits,
            installed,
        };
        let found = Found {
            name: "r-base".into(),
            summary: None,
            versions: vec![
                version("4.4.2", "h1_0", true, false),
                version("4.3.1", "h0_1", true, true),
                version("3.6", "h9_9", false, false),
            ],
        };
        assert_eq!(
            text(&found, 1),
            "r-base\n  4.4.2            h1_0                 conda-forge\n\
             * 4.3.1            h0_1                 conda-forge          installed\n"
        );
        assert!(text(&found, 9).ends_with("conda-forge          for another Python\n"));
    }
}
