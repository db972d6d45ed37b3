//! What lies behind a failure of rattler's gateway.
//!
//! Its errors are transparent: an error's source leaves out the error that it stands for, so that each is looked into.

use std::error::Error;

use rattler_repodata_gateway::GatewayError;
use rattler_repodata_gateway::fetch::{FetchRepoDataError, RepoDataNotFoundError};

use crate::error::{chain, is_disk_full};

/// What happened, and where. Logins are taken out of addresses already.
pub struct Cause {
    /// What.
    pub sort: Sort,
    /// The address, if it is known.
    pub url: Option<String>,
}

/// Sorts of failures.
pub enum Sort {
    /// HTTP's.
    Status(u16),
    /// A file is not there.
    Absent,
    /// The index is no index.
    Damaged,
    /// It would have to be downloaded.
    NotCached,
    /// The disk is full.
    Full,
    /// The network, as a rule.
    Other,
}

impl Cause {
    /// Looks into `error`.
    pub fn read(error: &GatewayError) -> Self {
        let mut cause = Self {
            sort: Sort::Other,
            url: None,
        };
        match error {
            GatewayError::ReqwestError(error) => cause.add(error),
            GatewayError::ReqwestMiddlewareError(error) => cause.add(error.as_ref()),
            GatewayError::FetchRepoDataError(error) => cause.add_fetch(error),
            GatewayError::SubdirNotFoundError(error) => {
                cause.url = Some(error.channel.base_url.to_string());
                cause.sort = Sort::Absent;
            }
            GatewayError::ShardedIndexNotCached(url) => {
                cause.sort = Sort::NotCached;
                cause.url = Some(url.to_string());
            }
            GatewayError::ShardNotCached(_) => cause.sort = Sort::NotCached,
            GatewayError::IoError(what, error) => {
                cause.add(error);
                if what.contains("parse") && matches!(cause.sort, Sort::Other) {
                    cause.sort = Sort::Damaged;
                }
            }
            error => cause.add(error),
        }
        cause
    }

    fn add_fetch(&mut self, error: &FetchRepoDataError) {
        match error {
            FetchRepoDataError::HttpError(reqwest_middleware::Error::Reqwest(error))
            | FetchRepoDataError::NotFound(RepoDataNotFoundError::HttpError(error)) => {
                self.add(error);
            }
            FetchRepoDataError::IoError(error)
            | FetchRepoDataError::NotFound(RepoDataNotFoundError::FileSystemError(error)) => {
                self.add(error);
            }
            FetchRepoDataError::FailedToDownload(url, error) => {
                self.add(error);
                self.url.get_or_insert_with(|| url.to_string());
            }
            FetchRepoDataError::NoCacheAvailable(url) => {
                self.sort = Sort::NotCached;
                self.url = Some(url.to_string());
            }
            error => self.add(error),
        }
    }

    fn add(&mut self, error: &(dyn Error + 'static)) {
        if is_disk_full(error) {
            self.sort = Sort::Full;
            return;
        }
        for cause in chain(error) {
            if let Some(http) = cause.downcast_ref::<reqwest::Error>() {
                if let Some(status) = http.status() {
                    self.sort = Sort::Status(status.as_u16());
                }
                if let Some(url) = http.url() {
                    self.url = Some(url.to_string());
                }
            } else if cause.is::<serde_json::Error>() {
                self.sort = Sort::Damaged;
            } else if let Some(io) = cause.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::NotFound
            {
                self.sort = Sort::Absent;
            }
        }
    }
}
