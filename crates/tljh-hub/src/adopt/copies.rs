//! Copies of what is kept: each is put in its place whole, by a rename.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tljh_machine::{durable, files, tree};

use super::error::AdoptError;

/// Makes `to` a copy of `from`, of whichever kind it is, and for root alone; sockets and the like are left out.
pub fn copy(from: &Path, to: &Path) -> Result<(), AdoptError> {
    let Ok(found) = from.symlink_metadata() else {
        return Ok(());
    };
    let new = beside(to);
    ensure_nothing(&new)?;
    if found.is_symlink() {
        let target = fs::read_link(from).unwrap_or_default();
        files::switch_link(&new, &target)?;
    } else if found.is_dir() {
        files::ensure_folder(&new, 0o700)?;
        tree::clone_tree(from, &new, &|_| false)?;
        durable::sync_folders(&new)?;
        ensure_nothing(to)?;
    } else if found.is_file() {
        let mode = found.permissions().mode() & 0o700;
        durable::copy(from, &new, mode)?;
    } else {
        return Ok(());
    }
    Ok(durable::replace(&new, to)?)
}

/// Copies each entry of the folder `from` for which `is_wanted` says so into the folder `to`; how many.
pub fn copy_entries(
    from: &Path,
    to: &Path,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, AdoptError> {
    let mut copied = Vec::new();
    if !from.is_dir() {
        return Ok(copied);
    }
    for entry in files::list_folder(from)? {
        let name = entry.file_name().unwrap_or_default();
        let shown = name.to_string_lossy();
        if is_wanted(&shown) {
            copy(&entry, &to.join(name))?;
            copied.push(shown.into_owned());
        }
    }
    Ok(copied)
}

fn ensure_nothing(path: &Path) -> Result<(), AdoptError> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Ok(files::ensure_tree_absent(path)?),
        _ => Ok(files::ensure_absent(path)?),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.adopted"))
}
