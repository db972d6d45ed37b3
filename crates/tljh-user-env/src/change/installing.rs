//! How far uv is with an installation: what it fetches by its report, what is there by the metadata on disk.

use std::path::Path;

use crate::manifest::{self, Difference};
use crate::progress::{self, Progress};

/// A bar for the packages that `steps` will install in `environment`.
pub struct Installing<'a> {
    environment: &'a Path,
    coming: &'a [Difference],
    bar: Progress,
}

impl<'a> Installing<'a> {
    /// Begins it, for what of `steps` comes.
    pub fn begin(environment: &'a Path, steps: &'a [Difference]) -> Self {
        let number = environment.file_name().unwrap_or_default();
        let text = format!("changing generation {}", number.display());
        let coming = steps.iter().filter(|step| step.after.is_some()).count();
        let bar = match u64::try_from(coming) {
            Ok(0) | Err(_) => Progress::begin(&text),
            Ok(coming) => Progress::counted(&text, || coming),
        };
        Self {
            environment,
            coming: steps,
            bar,
        }
    }

    /// Shows how far it is.
    pub fn look(&self, report: &str) {
        if progress::is_shown() {
            self.bar.tell(self.installed(), fetching(report));
        }
    }

    fn installed(&self) -> u64 {
        let folders = manifest::metadata_folders(self.environment).unwrap_or_default();
        let is_coming = |folder: &&std::path::PathBuf| {
            let name = folder.file_stem().unwrap_or_default().to_string_lossy();
            name.split_once('-').is_some_and(|(name, version)| {
                let name = manifest::normalize(name);
                self.coming
                    .iter()
                    .any(|step| step.name == name && step.after.as_deref() == Some(version))
            })
        };
        folders.iter().filter(is_coming).count() as u64
    }
}

/// What uv is fetching or building, of its report: ` Downloading name (size)` until ` Downloaded name`.
fn fetching(report: &str) -> String {
    let mut verb = "";
    let mut open: Vec<&str> = Vec::new();
    for line in report.lines() {
        let Some((word, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        match word {
            "Downloading" | "Building" => {
                verb = word;
                open.push(rest);
            }
            "Downloaded" | "Built" => open.retain(|one| one.split(' ').next() != Some(rest)),
            _ => {}
        }
    }
    if open.is_empty() {
        return String::new();
    }
    format!("{} {}", verb.to_lowercase(), open.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_fetched_is_told_until_it_is_there() {
        let report =
            "Resolved 3 packages in 1ms\nDownloading a (2.0MiB)\nDownloading b (16.1MiB)\n";
        assert_eq!(fetching(report), "downloading a (2.0MiB), b (16.1MiB)");
        let report = format!("{report} Downloaded a\n");
        assert_eq!(fetching(&report), "downloading b (16.1MiB)");
        let report = format!("{report} Downloaded b\nPrepared 3 packages in 1s\n");
        assert_eq!(fetching(&report), "");
        assert_eq!(fetching("   Building c==1.0\n"), "building c==1.0");
    }
}
