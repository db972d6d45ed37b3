//! What can go wrong, and how a caller tells it apart.

use std::error::Error;
use std::path::PathBuf;

use rattler::install::{InstallerError, TransactionError};
use rattler_cache::package_cache::PackageCacheError;
use rattler_package_streaming::ExtractError;
use rattler_solve::SolveError;
use rattler_virtual_packages::DetectVirtualPackageError;
use tljh_machine::files::FileError;

use crate::protocol::Kind;

/// A failed operation of `tljh-conda`.
#[derive(Debug, thiserror::Error)]
pub enum CondaError {
    /// Standard input cannot be read.
    #[error("could not read the request")]
    Input(#[source] std::io::Error),
    /// Not a request that we understand.
    #[error("the request is not one of this version of tljh-conda")]
    Request(#[source] serde_json::Error),
    /// The answer cannot be written down.
    #[error("could not write the answer")]
    Answer(#[source] serde_json::Error),
    /// The threads that do the work cannot be started.
    #[error("could not start")]
    Runtime(#[source] std::io::Error),
    /// A folder that depends on where we were started.
    #[error("`{}` does not begin with `/`", path.display())]
    Relative {
        /// As it was given.
        path: PathBuf,
    },
    /// A specification with a path, an address or an option in it, or one that conda does not know.
    #[error(
        "`{spec}` is not the name of a package, perhaps with versions (`numpy`, `numpy>=2`): {reason}"
    )]
    Spec {
        /// As it was given.
        spec: String,
        /// Why not.
        reason: String,
    },
    /// No name or address of a channel.
    #[error("`{channel}` is no channel: {reason}")]
    Channel {
        /// As it was given, without a login.
        channel: String,
        /// Why not.
        reason: String,
    },
    /// Nothing is at a channel's address.
    #[error("there is no channel at {url}")]
    NoChannel {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A channel's address wants another login.
    #[error("{url} refuses the login that the channel's address has, or wants one")]
    Login {
        /// The address.
        url: String,
    },
    /// A channel's index is not what an index should be.
    #[error("the index of packages of {url} is damaged")]
    Index {
        /// The channels.
        url: String,
        /// Where.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An installed package's record is damaged.
    #[error("the list of packages of `{}` cannot be read", path.display())]
    Installed {
        /// The prefix.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// To be removed or updated, but not there.
    #[error("not installed: {}", names.join(", "))]
    NotInstalled {
        /// The packages.
        names: Vec<String>,
    },
    /// No channel has the name.
    #[error("no package is called `{name}` in {channels}{}", did_you_mean(near))]
    Unknown {
        /// The name.
        name: String,
        /// The channels, for people.
        channels: String,
        /// Names of packages that look alike.
        near: Vec<String>,
    },
    /// No channel has the version.
    #[error("no version of `{name}` fits `{spec}`; the newest is {newest}")]
    NoVersion {
        /// The name.
        name: String,
        /// The specification.
        spec: String,
        /// The newest version that there is.
        newest: String,
    },
    /// No choice of packages meets all requirements.
    #[error("no versions fit together:\n{explanation}")]
    Conflict {
        /// The solver's, shortened.
        explanation: String,
        /// The packages that were asked for.
        names: Vec<String>,
    },
    /// The solver took too long.
    #[error("no choice of packages was found within {seconds} s; name versions to make it easier")]
    Endless {
        /// Seconds.
        seconds: u64,
    },
    /// The solver failed otherwise.
    #[error("the packages could not be chosen")]
    Solve(#[source] Box<SolveError>),
    /// This machine's abilities cannot be found out.
    #[error("could not find out what this machine is able to run")]
    Machine(#[source] Box<DetectVirtualPackageError>),
    /// A program for another sort of machine.
    #[error("conda has no packages for this sort of machine")]
    Platform,
    /// A channel did not answer, or not to the end.
    #[error("{url} could not be reached, or broke off")]
    Network {
        /// The address, without a login.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server answers with a failure of its own.
    #[error("{url} answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP's.
        status: u16,
    },
    /// It would have to be downloaded.
    #[error("{what} is not in the cache, and nothing may be downloaded")]
    Offline {
        /// A package, or an index.
        what: String,
    },
    /// A package is not the one of the index.
    #[error("the file {url} is not the one that the channel's index promises: {difference}")]
    Hash {
        /// Its name.
        name: String,
        /// Its address.
        url: String,
        /// In which way.
        difference: String,
    },
    /// Nothing says what the package should be.
    #[error(
        "the channel's index has no SHA-256 of `{name}`, so that nobody could notice a wrong file"
    )]
    NoHash {
        /// The package.
        name: String,
    },
    /// Neither `.conda` nor `.tar.bz2`, or damaged although its hash is right.
    #[error("the package `{name}` cannot be unpacked")]
    Archive {
        /// The package.
        name: String,
        /// Why.
        #[source]
        source: Box<ExtractError>,
    },
    /// A package's list of files leads out of the prefix.
    #[error("the package `{name}` would write `{}`, which is outside of the environment", path.display())]
    Outside {
        /// The package.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Too little space to begin.
    #[error("`{}` needs about {needed} MB more, and {free} MB are free", path.display())]
    Space {
        /// A folder of the file system.
        path: PathBuf,
        /// Megabytes.
        needed: u64,
        /// Megabytes.
        free: u64,
    },
    /// The file system became full on the way.
    #[error("the disk of `{}` became full", path.display())]
    DiskFull {
        /// A folder of the file system.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file or folder of ours.
    #[error("could not {action} `{}`", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cache cannot be used.
    #[error("the cache `{}` cannot be used", path.display())]
    Cache {
        /// The cache.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<PackageCacheError>,
    },
    /// Another run of ours uses the cache.
    #[error("another change has used the cache `{}` for {seconds} s", path.display())]
    Busy {
        /// The cache.
        path: PathBuf,
        /// Seconds.
        seconds: u64,
    },
    /// The packages are no environment.
    #[error("these packages cannot be in one environment")]
    Transaction(#[source] Box<TransactionError>),
    /// The prefix could not be changed.
    #[error("the packages could not be linked into `{}`", path.display())]
    Link {
        /// The prefix.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<InstallerError>,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn did_you_mean(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; did you mean `{}`?", names.join("`, `"))
    }
}

impl CondaError {
    /// Its sort.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Request(_)
            | Self::Relative { .. }
            | Self::Spec { .. }
            | Self::NotInstalled { .. } => Kind::Request,
            Self::Unknown { .. } | Self::NoVersion { .. } => Kind::Unknown,
            Self::Conflict { .. } => Kind::Conflict,
            Self::Network { .. } | Self::Status { .. } | Self::Offline { .. } => Kind::Network,
            Self::Hash { .. } | Self::NoHash { .. } => Kind::Hash,
            Self::Space { .. } | Self::DiskFull { .. } => Kind::Space,
            Self::Channel { .. }
            | Self::NoChannel { .. }
            | Self::Login { .. }
            | Self::Index { .. } => Kind::Channel,
            Self::File(error) if error.is_disk_full() => Kind::Space,
            error if is_disk_full(error) => Kind::Space,
            _ => Kind::Other,
        }
    }

    /// What it is about.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Unknown { name, .. }
            | Self::NoVersion { name, .. }
            | Self::Hash { name, .. }
            | Self::NoHash { name }
            | Self::Archive { name, .. }
            | Self::Outside { name, .. } => vec![name.clone()],
            Self::NotInstalled { names } | Self::Conflict { names, .. } => names.clone(),
            Self::Spec { spec, .. } => vec![spec.clone()],
            Self::Channel { channel, .. } => vec![channel.clone()],
            _ => Vec::new(),
        }
    }

    /// The error with its causes, each once, in one text.
    pub fn message(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        text
    }

    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

/// The causes of an error, itself first.
pub fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

/// Whether a full disk is among the causes.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| {
            matches!(
                io.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            )
        })
    })
}
