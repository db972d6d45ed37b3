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
    /// Apply the configuration: restart a component and wait until it answers
    ///
    /// A configuration with wrong values, or one that the hub's Python cannot load, is refused before
    /// anything is restarted. If the component does not answer afterwards, the last configuration that
    /// worked is put back and applied. Users' servers keep running.
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
        /// Keep a configuration that does not work, and leave the component as it is
        #[arg(long)]
        no_rollback: bool,
    },
    /// List the configurations that were applied and worked, newest first; the last 20 are kept
    #[command(after_long_help = "Example:\n  sudo tljh-config history")]
    History {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Go back to a configuration that worked, and apply it
    ///
    /// Without a number, changes of the file that were not applied are undone; if there are none, the
    /// configuration before the present one comes back. What was in the file is kept beside it as
    /// `config.yaml.before-rollback`.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config rollback\n  sudo tljh-config rollback 12"
    )]
    Rollback {
        /// Its number in `tljh-config history`
        number: Option<u64>,
        /// Seconds to wait until each component answers
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
