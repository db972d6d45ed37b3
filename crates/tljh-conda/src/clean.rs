//! `clean`: packages leave the cache that no environment shares files with, the oldest first.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cache;
use crate::error::CondaError;
use crate::protocol::{CleanAnswer, CleanRequest};

/// Answers a request.
///
/// # Errors
/// The cache cannot be read, or a package cannot be removed.
pub async fn run(request: &CleanRequest) -> Result<CleanAnswer, CondaError> {
    let packages = cache::packages(&request.cache)?;
    let _turn = cache::turn(&request.cache, &packages).await?;
    let folder = cache::package_folder(&request.cache)?;
    let failed = |source| CondaError::Folder {
        action: "clean",
        path: folder.clone(),
        source,
    };
    let mut kept = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            kept.push(Package::read(path).map_err(failed)?);
        }
    }
    kept.sort_by_key(|package| package.since);
    let mut total: u64 = kept.iter().map(|package| package.bytes).sum();
    let mut answer = CleanAnswer {
        removed: 0,
        freed: 0,
    };
    for package in kept.iter().filter(|package| !package.is_shared) {
        if total <= request.keep_bytes.unwrap_or(0) {
            break;
        }
        fs::remove_dir_all(&package.path).map_err(failed)?;
        // Beside it lies what rattler knows about it.
        let mut record = package.path.clone().into_os_string();
        record.push(".lock");
        let _ = fs::remove_file(record);
        total -= package.bytes;
        answer.removed += 1;
        answer.freed += package.bytes;
    }
    Ok(answer)
}

struct Package {
    path: PathBuf,
    since: SystemTime,
    bytes: u64,
    is_shared: bool,
}

impl Package {
    fn read(path: PathBuf) -> std::io::Result<Self> {
        let mut package = Self {
            since: path.metadata()?.modified()?,
            bytes: 0,
            is_shared: false,
            path: path.clone(),
        };
        package.add(&path)?;
        Ok(package)
    }

    fn add(&mut self, folder: &Path) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                self.add(&entry.path())?;
            } else {
                self.bytes += found.len();
                self.is_shared |= found.nlink() > 1;
            }
        }
        Ok(())
    }
}
