//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use tljh_terminal::Verbosity;

use crate::error::Error;

/// The reverse proxy of The Littlest JupyterHub
#[derive(Debug, Parser)]
#[command(name = "tljh-proxy", version, after_long_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:\n  0  done\n  1  refused or failed\n  2  wrong usage\n  \
    3  status: no certificate, one that ends soon, or a failure\n  4  status: the proxy does not run\n\n\
    Examples:\n  systemctl status tljh-proxy.service\n  sudo tljh-proxy status";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop
    ///
    /// Listens on the public port and the API's, loads the routes kept from before, and tells systemd when both answer.
    /// Sockets and settings come from `tljh-proxy listen` by way of systemd, or are opened and read here. SIGTERM stops
    /// it: requests under way get five seconds to finish.
    #[command(after_long_help = "Example:\n  \
        tljh-proxy run --settings proxy.json --token-file token --state-dir /var/lib/tljh-proxy")]
    Run(RunOptions),
    /// Open the ports and read the settings, as root, for systemd to keep
    ///
    /// tljh-proxy.service runs it before each start and each reload. Whatever ends the proxy then, its ports stay open.
    #[command(after_long_help = "Example:\n  \
        tljh-proxy listen --settings proxy.json --token-file token")]
    Listen(ListenOptions),
    /// Replace the running proxy by a new process, without losing a connection
    ///
    /// `systemctl reload tljh-proxy.service` runs it after `tljh-proxy listen`. The new process gets the sockets and serves;
    /// the old one ends when its last connection does, which may be hours later.
    #[command(after_long_help = "Example:\n  sudo systemctl reload tljh-proxy.service")]
    Reload(Folders),
    /// Serve an own certificate that has changed, if it can be used
    ///
    /// systemd runs it when the certificate's files change and are for root alone. Others the proxy looks at itself.
    #[command(after_long_help = "Example:\n  sudo tljh-proxy reload-certificate")]
    ReloadCertificate(SettingsFiles),
    /// Show how HTTPS is doing: issuer, names, expiry, last error, next try
    ///
    /// Reads what the proxy wrote last, so that it also works while the proxy is down, and says so then. The exit code
    /// is 0 if all is well, 3 if there is no certificate that browsers believe, if it has fewer than 20 days to live or
    /// if the last try to get one has failed, and 4 if the proxy does not run.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-proxy status\n  sudo tljh-proxy status --json"
    )]
    Status(StatusOptions),
    /// Write manual pages and completions under a folder
    #[command(hide = true)]
    RenderDocs {
        /// Folder to write to, made if absent
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// Settings, a JSON file [default: what systemd keeps]
    #[arg(long, value_name = "FILE", requires = "token_file")]
    pub settings: Option<PathBuf>,
    /// File that holds the API token [default: what systemd keeps]
    #[arg(long, value_name = "FILE", requires = "settings")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub folders: Folders,
    /// Take over from the process that runs; say `serving` on standard output when that is done
    #[arg(long, hide = true)]
    pub take_over: bool,
}

#[derive(Debug, Args)]
pub struct ListenOptions {
    #[command(flatten)]
    pub files: SettingsFiles,
    /// Folder in which a running proxy answers [default: $RUNTIME_DIRECTORY]
    #[arg(long, value_name = "DIR", env = "RUNTIME_DIRECTORY", hide_env = true)]
    pub runtime_dir: Option<PathBuf>,
}

/// What `tljh-hub render proxy` writes.
#[derive(Debug, Args)]
pub struct SettingsFiles {
    /// Settings, a JSON file
    #[arg(long, value_name = "FILE", default_value = "/var/lib/tljh/proxy.json")]
    pub settings: PathBuf,
    /// File that holds the API token
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/tljh/proxy-api-token"
    )]
    pub token_file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Folders {
    /// Folder in which the routes are kept [default: $STATE_DIRECTORY]
    #[arg(long, value_name = "DIR", env = "STATE_DIRECTORY", hide_env = true)]
    pub state_dir: Option<PathBuf>,
    /// Folder in which a successor finds this process [default: $RUNTIME_DIRECTORY]
    #[arg(long, value_name = "DIR", env = "RUNTIME_DIRECTORY", hide_env = true)]
    pub runtime_dir: Option<PathBuf>,
}

impl Folders {
    /// The folder in which the routes are kept.
    ///
    /// # Errors
    /// It is given neither on the command line nor by systemd.
    pub fn state_dir(&self) -> Result<&Path, Error> {
        self.state_dir.as_deref().ok_or(Error::NoStateFolder)
    }
}

#[derive(Debug, Args)]
pub struct StatusOptions {
    /// For programs
    #[arg(long)]
    pub json: bool,
    /// Folder in which the proxy keeps its state [default: $STATE_DIRECTORY, or /var/lib/tljh-proxy]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}
