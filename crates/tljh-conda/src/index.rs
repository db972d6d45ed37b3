//! The channels' indexes of packages, by rattler's gateway: sharded, compressed or plain, as each channel has them.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use rattler_conda_types::{Channel, MatchSpec, PackageName, Subdir};
use rattler_repodata_gateway::fetch::{CacheAction, FetchRepoDataError};
use rattler_repodata_gateway::{
    ChannelConfig, ChannelRelationsMode, Gateway, GatewayError, RepoData, SourceConfig,
};
use reqwest_middleware::ClientWithMiddleware;

use crate::cache;
use crate::channels::Channels;
use crate::error::{CondaError, chain, is_disk_full};
use crate::network::{self, retried};

/// An index that was not read by then never will be.
const DEADLINE: Duration = Duration::from_secs(600);

/// The indexes of some channels, for this machine and for any.
pub struct Index {
    channels: Vec<Channel>,
    names: String,
    platforms: [Subdir; 2],
    client: ClientWithMiddleware,
    folder: std::path::PathBuf,
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
        retried(|| async {
            // A gateway remembers what failed.
            match tokio::time::timeout(DEADLINE, question(self.gateway())).await {
                Ok(answer) => answer.map_err(|error| self.failed(error)),
                Err(_) => Err(CondaError::Network {
                    url: self.names.clone(),
                    source: format!("not read within {} s", DEADLINE.as_secs()).into(),
                }),
            }
        })
        .await
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

    /// What a failure of the gateway means for people. It takes logins out of addresses itself.
    fn failed(&self, error: GatewayError) -> CondaError {
        let found = {
            let causes = || chain(&error);
            let http = causes().find_map(|cause| cause.downcast_ref::<reqwest::Error>());
            let url = http
                .and_then(|http| http.url().map(ToString::to_string))
                .or_else(|| causes().find_map(download_url))
                .unwrap_or_else(|| self.names.clone());
            let is_absent = causes().any(|cause| {
                cause
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound)
            });
            let is_damaged = causes().any(|cause| cause.is::<serde_json::Error>());
            let is_not_cached = causes().any(|cause| {
                matches!(
                    cause.downcast_ref::<FetchRepoDataError>(),
                    Some(FetchRepoDataError::NoCacheAvailable(_))
                )
            }) || matches!(
                error,
                GatewayError::ShardedIndexNotCached(_) | GatewayError::ShardNotCached(_)
            );
            Found {
                status: http.and_then(|http| http.status().map(|status| status.as_u16())),
                url,
                is_absent: is_absent && http.is_none(),
                is_damaged,
                is_not_cached,
                is_full: is_disk_full(&error),
            }
        };
        let url = found.url;
        let source: Box<dyn Error + Send + Sync> = Box::new(error);
        match found.status {
            _ if found.is_full => CondaError::DiskFull {
                path: self.folder.clone(),
                source,
            },
            _ if found.is_not_cached && self.offline => CondaError::Offline {
                what: format!("the index of packages of {url}"),
            },
            Some(404 | 410) => CondaError::NoChannel { url, source },
            Some(status) => network::refused(url, status),
            None if found.is_absent => CondaError::NoChannel { url, source },
            None if found.is_damaged => CondaError::Index { url, source },
            None => CondaError::Network { url, source },
        }
    }
}

struct Found {
    status: Option<u16>,
    url: String,
    is_absent: bool,
    is_damaged: bool,
    is_not_cached: bool,
    is_full: bool,
}

fn download_url(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref::<FetchRepoDataError>()? {
        FetchRepoDataError::FailedToDownload(url, _)
        | FetchRepoDataError::NoCacheAvailable(url) => Some(url.to_string()),
        _ => None,
    }
}

/// What conda calls this sort of machine.
///
/// # Errors
/// It has no name for it.
pub fn platform() -> Result<Subdir, CondaError> {
    Subdir::current().ok_or(CondaError::Platform)
}
