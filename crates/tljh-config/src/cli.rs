//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use tljh_terminal::Verbosity;

/// Show, change and apply the configuration of The Littlest JupyterHub
///
/// The configuration is a YAML file; keys are written with points, such as `limits.memory`. A change is
/// checked before it is written, keeps the rest of the file as it is, and takes effect at the next
/// `tljh-config reload`.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "tljh-config", version, after_long_help = EXAMPLES)]
pub struct Cli {
    /// The file to work on; with it, the file's own permissions decide who may change it
    #[arg(long, value_name = "FILE")]
    pub config_path: Option<PathBuf>,
    /// Check a change before it is written; this is the default
    #[arg(long, overrides_with_all = ["validate", "no_validate"])]
    pub validate: bool,
    /// Write a change without a check, such as a key that only a plugin knows
    #[arg(long, action = ArgAction::SetTrue, overrides_with_all = ["validate", "no_validate"])]
    pub no_validate: bool,
    /// How much to say.
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// What to do; help without one.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  sudo tljh-config show
  sudo tljh-config set limits.memory 2G
  sudo tljh-config add-item users.admin teacher
  sudo tljh-config reload";

/// The subcommands, named as upstream's.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the configuration file, without defaults
    #[command(after_long_help = "Example:\n  sudo tljh-config show")]
    Show,
    /// Set a key to a value
    ///
    /// `none` empties the key, which then has its default. Parents are made; a value in the place of a
    /// parent is replaced.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config set limits.memory 2G\n  sudo tljh-config set \
                                 services.cull.timeout 3600\n  sudo tljh-config set \
                                 users.extra_user_groups.video ada"
    )]
    Set {
        /// Names with points between them, such as limits.memory
        #[arg(value_name = "KEY")]
        key_path: String,
        /// The value
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Remove a key, which then has its default
    #[command(after_long_help = "Example:\n  sudo tljh-config unset limits.memory")]
    Unset {
        /// Names with points between them, such as limits.memory
        #[arg(value_name = "KEY")]
        key_path: String,
    },
    /// Add a value to a list; nothing happens if it is there already
    #[command(after_long_help = "Example:\n  sudo tljh-config add-item users.admin teacher")]
    AddItem {
        /// Names with points between them, such as users.admin
        #[arg(value_name = "KEY")]
        key_path: String,
        /// The value
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Remove a value from a list
    #[command(after_long_help = "Example:\n  sudo tljh-config remove-item users.admin teacher")]
    RemoveItem {
        /// Names with points between them, such as users.admin
        #[arg(value_name = "KEY")]
        key_path: String,
        /// The value
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Check the file: say what is wrong, each at its line and column
    ///
    /// Errors are wrong values, misspelt keys, and certificates that cannot be used; then the exit code is
    /// 1. Warnings alone leave it 0.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config check\n  tljh-config check --json - < draft.yaml"
    )]
    Check {
        /// Another file, which need not be the one in use; - for standard input
        file: Option<PathBuf>,
        /// Print a list of objects
        #[arg(long)]
        json: bool,
    },
    /// Apply the configuration: restart a component and wait until it answers
    ///
    /// A configuration with wrong values is refused before anything is restarted. Users' servers keep
    /// running.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config reload\n  sudo tljh-config reload proxy"
    )]
    Reload {
        /// What to restart
        #[arg(value_enum, default_value_t)]
        component: Component,
        /// Seconds to wait until it answers
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Write manual pages and completions
    #[command(hide = true)]
    RenderDocs {
        /// Where to
        folder: PathBuf,
    },
}

/// What `reload` restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// The hub, which reads everything but addresses and ports
    #[default]
    Hub,
    /// The proxy, which reads `http` and `https`
    Proxy,
}
