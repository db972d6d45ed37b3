//! Whether a backup is what was written.

use std::path::Path;

use tljh_machine::durable;

use super::contents;
use super::manifest::{FILES, Kind, Manifest};

/// Says what is wrong with it.
pub fn check(folder: &Path, manifest: &Manifest) -> Result<(), String> {
    for entry in &manifest.entries {
        if !contents::holds(&entry.path) {
            return Err(format!("`/{}` is in no backup of ours", entry.path));
        }
        let Kind::File { size, sha256 } = &entry.kind else {
            continue;
        };
        let path = folder.join(FILES).join(&entry.path);
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Err(format!("its `{}` is missing", entry.path));
        }
        let (found, length) = durable::digest(&path).map_err(|error| error.to_string())?;
        if (found.as_str(), length) != (sha256.as_str(), *size) {
            return Err(format!("its `{}` is not what was copied", entry.path));
        }
    }
    Ok(())
}
