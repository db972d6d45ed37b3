//! Requests and answers, as JSON.
//!
//! A channel is a name (`conda-forge`, of the public service that hosts conda-forge), or an `https://`, `http://` or
//! `file:///` address of a folder that holds `noarch` and `linux-64`. A login may be part of an address
//! (`https://user:password@host/channel`, `https://host/t/TOKEN/channel`). Channels come in the order of their
//! priority, which is strict: a package that one channel has is never taken from a later one.
//!
//! A specification is a conda match specification with a name: `numpy`, `numpy>=2`, `python=3.12.*`,
//! `conda-forge::r-base`. Paths, addresses and options are refused.

use std::path::PathBuf;

use rattler_conda_types::RepoDataRecord;
use serde::{Deserialize, Serialize};

/// What `solve` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveRequest {
    /// Where packages come from.
    pub channels: Vec<String>,
    /// Folder of indexes and packages, made if absent.
    pub cache: PathBuf,
    /// The environment as it is; `null` for a new one.
    #[serde(default)]
    pub prefix: Option<PathBuf>,
    /// Specifications of what is to be there.
    #[serde(default)]
    pub install: Vec<String>,
    /// Names of installed packages that go, with every package that needs them.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Names of installed packages that become the newest that fits.
    #[serde(default)]
    pub update: Vec<String>,
    /// All become the newest that fits.
    #[serde(default)]
    pub update_all: bool,
    /// Specifications of what was asked for earlier and must go on holding. `install` and `remove` of the same name
    /// win over it. Installed packages that are not named here may go where the change is impossible otherwise; if
    /// this is empty, none may.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Specifications that hold for a package if it is there at all.
    #[serde(default)]
    pub constrain: Vec<String>,
    /// Only what the cache has; `file://` channels are read as ever.
    #[serde(default)]
    pub offline: bool,
}

/// What `solve` found.
#[derive(Debug, Serialize)]
pub struct SolveAnswer {
    /// What the change would do, by name; empty if nothing.
    pub steps: Vec<Step>,
    /// All packages of the environment afterwards, by name; for `link`.
    pub packages: Vec<RepoDataRecord>,
    /// Bytes to download: archives of `steps` that are not in the cache.
    pub download: u64,
    /// Bytes of all archives of `steps`, in the cache or not. Unpacked, packages are about four times as large.
    pub size: u64,
    /// Time taken.
    pub seconds: SolveSeconds,
}

/// One package that comes, goes or changes.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its version now; `null` if it comes.
    pub before: Option<String>,
    /// Its version afterwards; `null` if it goes. The same as `before` if only the build changes.
    pub after: Option<String>,
}

/// Time that `solve` took.
#[derive(Debug, Serialize)]
pub struct SolveSeconds {
    /// To get and read the channels' indexes.
    pub repodata: f64,
    /// To choose packages.
    pub solve: f64,
}

/// What `link` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// Channels with logins, if packages come from such: the packages' own addresses have none.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Folder of indexes and packages, made if absent.
    pub cache: PathBuf,
    /// Folder that is changed, made if absent. It may be a hard-linked clone of another environment.
    pub prefix: PathBuf,
    /// Path that is written into files, by which the environment will be used. The same as `prefix` if left out.
    #[serde(default)]
    pub target_prefix: Option<PathBuf>,
    /// All packages that `prefix` is to hold, as `solve` answered.
    pub packages: Vec<RepoDataRecord>,
    /// Specifications of all that was ever asked for, for `conda-meta`, where conda and mamba look for it.
    #[serde(default)]
    pub specs: Vec<String>,
    /// Fail if something would have to be downloaded.
    #[serde(default)]
    pub offline: bool,
}

/// What `link` did.
#[derive(Debug, Serialize)]
pub struct LinkAnswer {
    /// Packages that came or changed.
    pub linked: usize,
    /// Packages that went or changed.
    pub unlinked: usize,
    /// Bytes that were downloaded.
    pub downloaded: u64,
    /// Paths that more than one package has, and the package whose file is there now.
    pub clobbered: Vec<Clobbered>,
    /// Time taken.
    pub seconds: LinkSeconds,
}

/// A path that more than one package has.
#[derive(Debug, Serialize)]
pub struct Clobbered {
    /// Below the prefix.
    pub path: PathBuf,
    /// The package whose file is there.
    pub package: String,
    /// The others.
    pub others: Vec<String>,
}

/// Time that `link` took.
#[derive(Debug, Serialize)]
pub struct LinkSeconds {
    /// To download, check and unpack.
    pub fetch: f64,
    /// To change the prefix.
    pub link: f64,
}

/// What `search` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// Where to look.
    pub channels: Vec<String>,
    /// Folder of indexes and packages, made if absent.
    pub cache: PathBuf,
    /// A name, or a pattern with `*` and `?`; nothing where `names` are given.
    #[serde(default)]
    pub pattern: String,
    /// Names in the place of a pattern: of each all versions, newest first. Those that nobody has are left out.
    #[serde(default)]
    pub names: Vec<String>,
    /// Only what the cache has.
    #[serde(default)]
    pub offline: bool,
}

/// What `search` found.
#[derive(Debug, Serialize)]
pub struct SearchAnswer {
    /// The newest of each name; of one exact name all, newest first.
    pub packages: Vec<Found>,
    /// Names that match too, but are left out because there are so many.
    pub left_out: usize,
}

/// A package of a channel.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build.
    pub build: String,
    /// The channel's name or address.
    pub channel: String,
    /// Bytes of its archive, where the index says.
    pub size: Option<u64>,
}

/// What `clean` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanRequest {
    /// Folder of indexes and packages.
    pub cache: PathBuf,
    /// Stop as soon as the packages in the cache are no larger; 0 if left out.
    #[serde(default)]
    pub keep_bytes: Option<u64>,
}

/// What `clean` did.
#[derive(Debug, Serialize)]
pub struct CleanAnswer {
    /// Packages that were removed.
    pub removed: usize,
    /// Bytes that they held.
    pub freed: u64,
}

/// Why a request was refused or failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The failure.
    pub error: FailureText,
}

/// The failure of a request.
#[derive(Debug, Serialize)]
pub struct FailureText {
    /// What sort.
    pub kind: Kind,
    /// For people who teach, in a sentence or a few lines.
    pub message: String,
    /// Packages or names it is about.
    pub names: Vec<String>,
}

/// Sorts of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No channel has a package of that name or version.
    Unknown,
    /// No choice of packages meets all requirements.
    Conflict,
    /// A channel did not answer, or not to the end.
    Network,
    /// A package is not the one that the index promised.
    Hash,
    /// Too little space on a disk.
    Space,
    /// A channel's address is wrong, or no channel is there.
    Channel,
    /// The request is not one that we understand, or names what it may not.
    Request,
    /// Anything else.
    Other,
}
