//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tljh_terminal::Verbosity;

/// Start and look after The Littlest JupyterHub
#[derive(Debug, Parser)]
#[command(name = "tljh-hub", version, arg_required_else_help = true)]
#[command(after_long_help = "\
Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  the command line was not understood

Examples:
  The accounts that the hub has made:
      sudo tljh-hub account list
  What the hub logged last:
      sudo journalctl --unit jupyterhub --lines 50")]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start JupyterHub with the settings of /etc/tljh/config.yaml; for jupyterhub.service
    Run(Run),
    /// Bring the state to this version while no hub runs; for tljh-hub run
    #[command(hide = true)]
    Migrate,
    /// Wait until the hub answers, and remember its configuration as one that works; for jupyterhub.service
    #[command(hide = true)]
    Confirm {
        /// Process number of the hub
        hub: u32,
    },
    /// Have the hub's Python load the configuration on standard input; for tljh-config
    #[command(hide = true)]
    CheckTraits,
    /// Linux accounts of hub users
    #[command(subcommand)]
    Account(Account),
    /// Copies of configuration, accounts and the hub's state
    #[command(subcommand)]
    Backup(Backup),
    /// What was taken over from an installation of upstream's TLJH, and the way back to it
    #[command(subcommand)]
    Adopt(Adopt),
    /// Write the settings that another service reads
    #[command(subcommand)]
    Render(Render),
    /// What dpkg asks of the package tljh; for its maintainer scripts
    #[command(hide = true)]
    MaintainerScript {
        /// Which script
        script: Script,
        /// The arguments that dpkg gave it
        arguments: Vec<String>,
    },
    /// Which versions of the state this version works with, what an older one passes through, and JupyterHub's schema
    #[command(hide = true)]
    StateRange,
    /// Write manual pages and completions
    #[command(hide = true)]
    RenderDocs {
        /// Where to
        folder: PathBuf,
    },
}

/// `tljh-hub run`.
#[derive(Debug, Args)]
pub struct Run {
    /// A snippet that the hub has just failed to load: start with what worked last
    #[arg(long, hide = true, value_name = "FILE", requires = "reason")]
    pub refused: Option<PathBuf>,
    /// What is wrong with it
    #[arg(long, hide = true, value_name = "TEXT", requires = "refused")]
    pub reason: Option<String>,
}

/// `tljh-hub account`.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Make the account of a hub user unless it exists, and set its groups
    Ensure(EnsureAccount),
    /// List the accounts that the hub has made
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
}

/// `tljh-hub account ensure`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Names map to `jupyter-NAME`; long or unusual ones are shortened and get a hash.

Example:
      sudo tljh-hub account ensure --json -- alice")]
pub struct EnsureAccount {
    /// Member of jupyterhub-admins, with sudo
    #[arg(long)]
    pub admin: bool,
    /// A further group; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// The account as JSON
    #[arg(long)]
    pub json: bool,
    /// Name of the hub user; after `--` it may begin with a dash
    pub name: String,
}

/// `tljh-hub backup`.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
A backup holds /etc/tljh, the hub's database, passwords, secrets and the records of accounts. Homes and environments are
not in it. One is made before each upgrade. The newest ten are kept, in /var/lib/tljh/backups.

Examples:
      sudo tljh-hub backup create
      sudo tljh-hub backup restore 3")]
pub enum Backup {
    /// Make one, also while the hub runs
    Create {
        /// The backup as JSON
        #[arg(long)]
        json: bool,
    },
    /// List those that there are, newest first
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Put one back: stops the hub, makes a backup of what is there, and starts the hub again
    Restore(RestoreBackup),
}

/// `tljh-hub backup restore`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Users' servers keep running. One that was started after the backup was made has to be stopped and started once by its
user. A restore that was interrupted is finished by the same command, or when the hub starts.

Example:
      sudo tljh-hub backup restore 3")]
pub struct RestoreBackup {
    /// Leave the hub stopped, to install the version that the backup is of
    #[arg(long)]
    pub keep_stopped: bool,
    /// Which one, as `tljh-hub backup list` numbers them; the newest where none is named
    pub number: Option<u64>,
}

/// `tljh-hub adopt`.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Installing the package on a machine where upstream's TLJH was installed takes it over: users, passwords, configuration,
homes, the user environment and snippets are kept, the rest is replaced. All that was there is kept in
/opt/tljh/.upstream until one of `undo` and `commit`.

Examples:
      sudo tljh-hub adopt status
      sudo tljh-hub adopt undo
      sudo tljh-hub adopt commit --yes")]
pub enum Adopt {
    /// Tell what was taken over, and what could not be
    Status {
        /// As JSON; `null` where there is nothing
        #[arg(long)]
        json: bool,
    },
    /// Go back to upstream's installation as it was: purges the tljh packages, keeps homes and accounts
    Undo(Agreed),
    /// Delete what is kept of upstream's; there is no way back then
    Commit(Agreed),
}

/// Whether to ask.
#[derive(Debug, Args)]
pub struct Agreed {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `tljh-hub render`.
#[derive(Debug, Subcommand)]
pub enum Render {
    /// The proxy's settings and API token; for tljh-proxy-settings.service
    Proxy,
}

/// The maintainer scripts that call Rust; the others find no program of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// After unpacking.
    Postinst,
    /// Before removal or upgrade.
    Prerm,
}
