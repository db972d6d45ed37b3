//! The channels' indexes of packages, by rattler's gateway: sharded, compressed or plain, as each channel has them.

mod cause;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rattler_conda_types::{Channel, MatchSpec, PackageName, Subdir};
use rattler_repodata_gateway::fetch::CacheAction;
use rattler_repodata_gateway::{
    ChannelConfig, ChannelRelationsMode, Gateway, GatewayError, RepoData, SourceConfig,
};
use reqwest_middleware::ClientWithMiddleware;

use crate::cache;
use crate::channels::Channels;
use crate::error::CondaError;
use crate::network::{self, retried};
use cause::{Cause, Sort};

/// An index that was not read by then never will be.
const DEADLINE: Duration = Duration::from_secs(600);

/// The indexes of some channels, for this machine and for any.
pub struct Index {
    channels: Vec<Channel>,
    names: String,
    platforms: [Subdir; 2],
    client: ClientWithMiddleware,
    folder: PathBuf,
    offline: bool,
}

impl Index {
    /// Those of `channels`, kept in `cache`.
    ///
    /// # Errors
    /// The network cannot be used at all, or conda does not know this sort of machine.
    pub fn new(channels: Channels, cache: &Path, offline: bool) -> Result<Self, CondaError> {
        Ok(Self {
            names: channels.names(),
            channels: channels.list,
            platforms: [platform()?, Subdir::NoArch],
            client: network::client(channels.logins)?,
            folder: cache::index_folder(cache)?,
            offline,
        })
    }

    /// The channels' names.
    pub fn names_of_channels(&self) -> &str {
        &self.names
    }

    /// All packages with the names of `specs`; with all that they may need, if `recursive`.
    ///
    /// # Errors
    /// An index cannot be had.
    pub async fn records(
        &self,
        specs: &[MatchSpec],
        recursive: bool,
    ) -> Result<Vec<RepoData>, CondaError> {
        self.ask(async |gateway| {
            let answer = gateway
                .query(self.channels.clone(), self.platforms, specs.to_vec())
                .channel_relations(ChannelRelationsMode::Disabled)
                .recursive(recursive)
                .execute()
                .await?;
            Ok(answer.into_iter().collect())
        })
        .await
    }

    /// The names of all packages, sorted.
    ///
    /// # Errors
    /// An index cannot be had.
    pub async fn names(&self) -> Result<Vec<PackageName>, CondaError> {
        let mut names: Vec<PackageName> = self
            .ask(async |gateway| {
                let answer = gateway
                    .names(self.channels.clone(), self.platforms)
                    .channel_relations(ChannelRelationsMode::Disabled)
                    .execute()
                    .await?;
                Ok(answer.into_iter().collect())
            })
            .await?;
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn ask<T>(
        &self,
        question: impl AsyncFn(Gateway) -> Result<T, GatewayError>,
    ) -> Result<T, CondaError> {
        let attempts = retried(|| async {
            // A gateway remembers what failed.
            question(self.gateway())
                .await
                .map_err(|error| self.failed(error))
        });
        tokio::time::timeout(DEADLINE, attempts)
            .await
            .unwrap_or_else(|_| {
                Err(CondaError::Network {
                    url: self.names.clone(),
                    source: format!("not read within {} s", DEADLINE.as_secs()).into(),
                })
            })
    }

    fn gateway(&self) -> Gateway {
        let default = SourceConfig {
            cache_action: if self.offline {
                CacheAction::ForceCacheOnly
            } else {
                CacheAction::CacheOrFetch
            },
            missing_shards_are_empty: self.offline,
            ..SourceConfig::default()
        };
        Gateway::builder()
            .with_client(self.client.clone())
            .with_cache_dir(&self.folder)
            .with_max_concurrent_requests(32)
            .with_channel_config(ChannelConfig {
                default,
                ..ChannelConfig::default()
            })
            .finish()
    }

    fn failed(&self, error: GatewayError) -> CondaError {
        let found = Cause::read(&error);
        let url = found.url.unwrap_or_else(|| self.names.clone());
        let source: Box<dyn Error + Send + Sync> = Box::new(error);
        match found.sort {
            Sort::Full => CondaError::DiskFull {
                path: self.folder.clone(),
                source,
            },
            Sort::NotCached => CondaError::Offline {
                what: format!("the index of packages of {url}"),
            },
            Sort::Status(404 | 410) | Sort::Absent => CondaError::NoChannel { url, source },
            Sort::Status(status) => network::refused(url, status),
            Sort::Damaged => CondaError::Index { url, source },
            Sort::Other => CondaError::Network { url, source },
        }
    }
}

/// What conda calls this sort of machine.
///
/// # Errors
/// It has no name for it.
pub fn platform() -> Result<Subdir, CondaError> {
    Subdir::current().ok_or(CondaError::Platform)
}
