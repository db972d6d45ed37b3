//! Packages into the cache: downloaded, compared with the index's SHA-256, then unpacked.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rattler_cache::package_cache::PackageCache;
use rattler_conda_types::RepoDataRecord;
use rattler_package_streaming::{ExtractError, fs as archives};
use reqwest_middleware::ClientWithMiddleware;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::error::{CondaError, is_disk_full};
use crate::installed::name;
use crate::network::{self, retried};
use crate::progress::{self, Phase};
use crate::{cache, space};

/// Downloads at a time. Unpacking takes part in it.
const AT_ONCE: usize = 8;
/// How much larger packages become as a rule when they are unpacked.
const UNPACKED: u64 = 4;

/// Seconds for a package of no size, attempts included.
const PATIENCE: u64 = 120;
/// Bytes a second; a slower network is none.
const SLOWEST: u64 = 20_000;

/// Fetches packages into a cache.
pub struct Fetcher {
    /// The cache.
    pub cache: PathBuf,
    /// Its packages.
    pub packages: PackageCache,
    /// For downloads.
    pub client: ClientWithMiddleware,
    /// Nothing may be downloaded.
    pub offline: bool,
}

/// What a fetch did.
pub struct Fetched {
    /// Where each package is unpacked, in the order of the records.
    pub folders: Vec<PathBuf>,
    /// Bytes that were downloaded.
    pub downloaded: u64,
}

impl Fetcher {
    /// Has all `records` in the cache. The caller has the turn with it.
    ///
    /// # Errors
    /// The first package that cannot be had; those that were had stay in the cache.
    pub async fn fetch(self, records: &[RepoDataRecord]) -> Result<Fetched, CondaError> {
        for record in records {
            if record.package_record.sha256.is_none() {
                return Err(CondaError::NoHash {
                    name: name(record).as_normalized().into(),
                });
            }
        }
        let cached = self
            .packages
            .index()
            .await
            .map_err(|source| CondaError::Folder {
                action: "read",
                path: self.cache.clone(),
                source,
            })?;
        let size = |record: &RepoDataRecord| record.package_record.size.unwrap_or(0);
        let missing: Vec<_> = records
            .iter()
            .filter(|record| !cached.contains_record(record))
            .collect();
        let bytes: u64 = missing.iter().map(|record| size(record)).sum();
        space::ensure(&self.cache, bytes.saturating_mul(UNPACKED))?;
        let phase = if missing.is_empty() {
            None
        } else {
            Some(progress::bytes(
                format!(
                    "fetching {} packages, {} MB",
                    missing.len(),
                    bytes.div_ceil(1 << 20)
                ),
                bytes,
            ))
        };
        let downloads = cache::download_folder(&self.cache)?;
        let shared = Arc::new(Shared {
            fetcher: self,
            downloads,
            phase,
            downloaded: Mutex::new(0),
        });
        let mut folders: Vec<_> = stream::iter(records.iter().cloned().enumerate())
            .map(|(at, record)| {
                let shared = shared.clone();
                async move { shared.get(record).await.map(|folder| (at, folder)) }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        folders.sort();
        let downloaded = *lock(&shared.downloaded);
        Ok(Fetched {
            folders: folders.into_iter().map(|(_, folder)| folder).collect(),
            downloaded,
        })
    }
}

struct Shared {
    fetcher: Fetcher,
    downloads: PathBuf,
    phase: Option<Phase>,
    downloaded: Mutex<u64>,
}

impl Shared {
    /// The folder of the unpacked package, all of whose files are there.
    async fn get(self: Arc<Self>, record: RepoDataRecord) -> Result<PathBuf, CondaError> {
        let folder = self.clone().get_any(record.clone()).await?;
        let examined = folder.clone();
        let is_removed =
            tokio::task::spawn_blocking(move || cache::is_removed_as_damaged(&examined))
                .await
                .unwrap_or(Ok(false))?;
        if is_removed {
            self.get_any(record).await
        } else {
            Ok(folder)
        }
    }

    async fn get_any(self: Arc<Self>, record: RepoDataRecord) -> Result<PathBuf, CondaError> {
        // The cache knows no error but its own.
        let failure = Arc::new(Mutex::new(None));
        let packages = self.fetcher.packages.clone();
        let cache = self.fetcher.cache.clone();
        let key = record.package_record.clone();
        let kept = failure.clone();
        let unpack = move |destination: PathBuf| {
            let (shared, record, kept) = (self.clone(), record.clone(), kept.clone());
            async move {
                match shared.unpack(&record, destination).await {
                    Ok(()) => Ok(record.package_record.sha256),
                    Err(error) => {
                        *lock(&kept) = Some(error);
                        Err(std::io::Error::other("not fetched"))
                    }
                }
            }
        };
        match packages.get_or_fetch(&key, unpack, None).await {
            Ok(found) => Ok(found.path().into()),
            Err(source) => Err(lock(&failure).take().unwrap_or(CondaError::Cache {
                path: cache,
                source: source.into(),
            })),
        }
    }

    async fn unpack(
        self: Arc<Self>,
        record: &RepoDataRecord,
        destination: PathBuf,
    ) -> Result<(), CondaError> {
        let local = record
            .url
            .to_file_path()
            .ok()
            .filter(|_| record.url.scheme() == "file");
        let (path, _download) = match local {
            Some(path) => {
                self.check_local(record, &path).await?;
                (path, None)
            }
            None => {
                let attempts = retried(|| {
                    let (shared, record) = (self.clone(), record.clone());
                    async move { shared.download(&record).await }
                });
                let seconds = PATIENCE + record.package_record.size.unwrap_or(0) / SLOWEST;
                let download = tokio::time::timeout(Duration::from_secs(seconds), attempts)
                    .await
                    .unwrap_or_else(|_| {
                        Err(CondaError::Network {
                            url: record.url.to_string(),
                            source: format!("not downloaded within {seconds} s").into(),
                        })
                    })?;
                (download.path().into(), Some(download))
            }
        };
        let full = destination.clone();
        let result = tokio::task::spawn_blocking(move || archives::extract(&path, &destination))
            .await
            .unwrap_or(Err(ExtractError::Cancelled));
        match result {
            Ok(_) => Ok(()),
            Err(source) if is_disk_full(&source) => Err(CondaError::DiskFull {
                path: full,
                source: source.into(),
            }),
            Err(source) => Err(CondaError::Archive {
                name: name(record).as_normalized().into(),
                source: source.into(),
            }),
        }
    }

    async fn check_local(&self, record: &RepoDataRecord, path: &Path) -> Result<(), CondaError> {
        let opened = path.to_path_buf();
        let hashed = tokio::task::spawn_blocking(move || {
            let mut file = File::open(opened)?;
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 1 << 16];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hash),
                    read => hash.update(&buffer[..read]),
                }
            }
        })
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| CondaError::Network {
            url: record.url.to_string(),
            source: source.into(),
        })?;
        check(record, hashed)?;
        self.advance(record.package_record.size.unwrap_or(0));
        Ok(())
    }

    async fn download(&self, record: &RepoDataRecord) -> Result<NamedTempFile, CondaError> {
        if self.fetcher.offline {
            return Err(CondaError::Offline {
                what: record.identifier.to_string(),
            });
        }
        let url = || record.url.to_string();
        let mut response = self
            .fetcher
            .client
            .get(record.url.clone())
            .send()
            .await
            .map_err(|error| network::broken(url(), error))?;
        if !response.status().is_success() {
            return Err(network::refused(url(), response.status().as_u16()));
        }
        let written = |source: std::io::Error| {
            if is_disk_full(&source) {
                CondaError::DiskFull {
                    path: self.downloads.clone(),
                    source: source.into(),
                }
            } else {
                CondaError::Folder {
                    action: "write to",
                    path: self.downloads.clone(),
                    source,
                }
            }
        };
        let mut file = tempfile::Builder::new()
            .suffix(&record.identifier.to_file_name())
            .tempfile_in(&self.downloads)
            .map_err(written)?;
        let mut hash = Sha256::new();
        let mut length = 0;
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| network::broken(url(), error.into()))?
        {
            length += chunk.len() as u64;
            if let Some(size) = record.package_record.size
                && length > size
            {
                return Err(wrong(record, format!("it is longer than {size} bytes")));
            }
            hash.update(&chunk);
            file.write_all(&chunk).map_err(written)?;
            self.advance(chunk.len() as u64);
            *lock(&self.downloaded) += chunk.len() as u64;
        }
        check(record, hash)?;
        Ok(file)
    }

    fn advance(&self, bytes: u64) {
        if let Some(phase) = &self.phase {
            phase.advance(bytes);
        }
    }
}

fn check(record: &RepoDataRecord, hash: Sha256) -> Result<(), CondaError> {
    let found = hash.finalize();
    match &record.package_record.sha256 {
        Some(wanted) if wanted[..] == found[..] => Ok(()),
        Some(wanted) => Err(wrong(
            record,
            format!("its SHA-256 is {}, not {}", hex(&found), hex(wanted)),
        )),
        None => Err(CondaError::NoHash {
            name: name(record).as_normalized().into(),
        }),
    }
}

fn wrong(record: &RepoDataRecord, difference: String) -> CondaError {
    CondaError::Hash {
        name: name(record).as_normalized().into(),
        url: record.url.to_string(),
        difference,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
