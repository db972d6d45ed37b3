//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tljh_terminal::Verbosity;

/// The reverse proxy of The Littlest JupyterHub
#[derive(Debug, Parser)]
#[command(name = "tljh-proxy", version, after_long_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:\n  0  done\n  1  refused or failed\n  2  wrong usage\n\n\
    Example:\n  systemctl status tljh-proxy.service";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop
    ///
    /// Binds the public port and the API's, loads the routes kept from before, and tells systemd when both
    /// ports are open. SIGTERM stops it: requests under way get five seconds to finish.
    #[command(after_long_help = "Example:\n  \
        tljh-proxy run --settings proxy.json --token-file token --state-dir /var/lib/tljh-proxy")]
    Run(RunOptions),
    /// Write manual pages and completions under a folder
    #[command(hide = true)]
    RenderDocs {
        /// Folder to write to, made if absent
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// Settings, a JSON file [default: proxy.json in $CREDENTIALS_DIRECTORY]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// File that holds the API token [default: proxy-api-token in $CREDENTIALS_DIRECTORY]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Folder in which the routes are kept [default: $STATE_DIRECTORY]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}
