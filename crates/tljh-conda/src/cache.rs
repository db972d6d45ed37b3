//! The cache: `indexes/` of channels, `packages/` unpacked, `downloads/` while they last.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rattler_cache::package_cache::{CacheGlobalLock, PackageCache};
use rattler_cache::validation::ValidationMode;
use rattler_conda_types::package::{PathType, PathsJson};

use crate::error::CondaError;

/// How long a run waits for another one's turn with the cache, in seconds.
const TURN: Duration = Duration::from_secs(600);

/// The folder of indexes, made if absent.
///
/// # Errors
/// It cannot be made.
pub fn index_folder(cache: &Path) -> Result<PathBuf, CondaError> {
    ensure_folder(&cache.join("indexes"))
}

/// The folder of downloads, made if absent.
///
/// # Errors
/// It cannot be made.
pub fn download_folder(cache: &Path) -> Result<PathBuf, CondaError> {
    ensure_folder(&cache.join("downloads"))
}

/// The folder of unpacked packages, made if absent.
///
/// # Errors
/// It cannot be made.
pub fn package_folder(cache: &Path) -> Result<PathBuf, CondaError> {
    ensure_folder(&cache.join("packages"))
}

/// The unpacked packages.
///
/// # Errors
/// The folder cannot be made.
pub fn packages(cache: &Path) -> Result<PackageCache, CondaError> {
    Ok(PackageCache::new_layered(
        [package_folder(cache)?],
        false,
        ValidationMode::Skip,
    ))
}

/// Waits for a turn with the unpacked packages, and removes what a killed run left half done.
///
/// # Errors
/// Another run does not end, or what it left cannot be removed.
pub async fn turn(cache: &Path, packages: &PackageCache) -> Result<CacheGlobalLock, CondaError> {
    let turn = tokio::time::timeout(TURN, packages.acquire_global_lock())
        .await
        .map_err(|_| CondaError::Busy {
            path: cache.into(),
            seconds: TURN.as_secs(),
        })?
        .map_err(|source| CondaError::Cache {
            path: cache.into(),
            source: source.into(),
        })?;
    remove_leftovers(&package_folder(cache)?, |name| name.starts_with('.'))?;
    remove_leftovers(&download_folder(cache)?, |_| true)?;
    Ok(turn)
}

/// Removes the unpacked package in `folder` and returns true if a file of it is missing or has another size than it
/// should, as after a power cut. rattler would use it as it is; of all else that a killed run leaves it takes care.
///
/// # Errors
/// It cannot be removed.
pub fn is_removed_as_damaged(folder: &Path) -> Result<bool, CondaError> {
    if is_whole(folder) {
        return Ok(false);
    }
    log::warn!("`{}` is damaged and is fetched again", folder.display());
    fs::remove_dir_all(folder).map_err(|source| CondaError::Folder {
        action: "remove",
        path: folder.into(),
        source,
    })?;
    Ok(true)
}

fn is_whole(folder: &Path) -> bool {
    let Ok(paths) = PathsJson::from_package_directory_with_deprecated_fallback(folder) else {
        return false;
    };
    paths.paths.iter().all(|entry| {
        let found = folder.join(&entry.relative_path).symlink_metadata();
        found.is_ok_and(|found| {
            entry.path_type != PathType::HardLink
                || entry.size_in_bytes.is_none_or(|size| size == found.len())
        })
    })
}

fn remove_leftovers(folder: &Path, is_leftover: fn(&str) -> bool) -> Result<(), CondaError> {
    let failed = |source| CondaError::Folder {
        action: "clear",
        path: folder.into(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !is_leftover(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        } else if folder.ends_with("downloads") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn ensure_folder(path: &Path) -> Result<PathBuf, CondaError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(|source| CondaError::Folder {
            action: "make",
            path: path.into(),
            source,
        })?;
    Ok(path.into())
}
