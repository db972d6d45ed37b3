//! Whether a disk has room.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::error::CondaError;

/// Bytes that are left alone, so that the rest of the machine goes on.
const RESERVE: u64 = 64 << 20;

/// Makes sure that `bytes` more fit where `path` is or will be.
///
/// # Errors
/// They do not, or the file system cannot be asked.
pub fn ensure(path: &Path, bytes: u64) -> Result<(), CondaError> {
    if bytes == 0 {
        return Ok(());
    }
    let place = existing(path);
    let found = statvfs(&place).map_err(|errno| CondaError::Folder {
        action: "examine the file system of",
        path: place.clone(),
        source: errno.into(),
    })?;
    let free = found
        .blocks_available()
        .saturating_mul(found.fragment_size());
    if free >= bytes.saturating_add(RESERVE) {
        return Ok(());
    }
    Err(CondaError::Space {
        path: place,
        needed: bytes.div_ceil(1 << 20),
        free: free >> 20,
    })
}

/// Whether files can be hard links of each other.
pub fn is_same_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| existing(path).metadata().map(|found| found.dev()).ok();
    device(one) == device(other)
}

/// The nearest folder above `path` that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"))
        .into()
}
