//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use serde_json::json;
use tljh_settings::Kind;
use tljh_terminal::Verbosity;

use crate::completion;

/// Show, change and apply the configuration of The Littlest JupyterHub
///
/// The configuration is a YAML file; keys are written with points, such as `limits.memory`. A change is
/// checked before it is written, keeps the rest of the file as it is, and takes effect at the next
/// `tljh-config reload`.
#[derive(Debug, Parser)]
// Upstream's parser takes flags that are cut short.
#[command(name = "tljh-config", version, infer_long_args = true, after_long_help = EXAMPLES)]
pub struct Cli {
    /// The file to work on; with it, the file's own permissions decide who may change it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config_path: Option<PathBuf>,
    /// Check a change before it is written; this is the default
    #[arg(long, overrides_with_all = ["validate", "no_validate"])]
    pub validate: bool,
    /// Write a change without a check, such as a key that only a plugin knows
    #[arg(long, action = ArgAction::SetTrue, overrides_with_all = ["validate", "no_validate"])]
    pub no_validate: bool,
    /// Print what a change would do to the file, with secrets masked, and write nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// How much to say.
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// What to do; help without one.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads the command line; wrong usage ends the program.
    pub fn parse_or_exit() -> Self {
        let cli = Self::parse();
        if cli.dry_run && matches!(cli.command, Some(Command::Reload { .. })) {
            let words =
                "`--dry-run` is for commands that change the file; `reload` concerns a service";
            Self::command()
                .error(ErrorKind::ArgumentConflict, words)
                .exit();
        }
        cli
    }
}

const EXAMPLES: &str = "\
Examples:
  sudo tljh-config show
  sudo tljh-config set limits.memory 2G
  sudo tljh-config add-item users.admin teacher
  sudo tljh-config reload

Exit codes:
  0  done; also where nothing was left to do
  1  refused or failed; the file is as it was
  2  wrong usage";

/// The subcommands; those of upstream have upstream's names.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the configuration file, or one key of it
    ///
    /// Without options it is the file as it is, with its comments and its secrets.
    #[command(after_long_help = "Examples:\n  sudo tljh-config show\n  \
                                 sudo tljh-config show --redact\n  \
                                 sudo tljh-config show --effective --origin\n  \
                                 sudo tljh-config show users --json")]
    Show(ShowArgs),
    /// Print the value that holds for a key, be it set or the default
    ///
    /// Text and numbers are printed bare, lists and sections as YAML. A key that is not set and has no
    /// default prints nothing.
    #[command(after_long_help = "Examples:\n  sudo tljh-config get http.port\n  \
                                 sudo tljh-config get users.admin --json\n\nExit codes:\n  \
                                 0  the key is known\n  1  it is not\n  2  wrong usage")]
    Get(GetArgs),
    /// Set a key to a value
    ///
    /// `none` empties the key, which then has its default. Parents are made; a value in the place of a
    /// parent is replaced.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config set limits.memory 2G\n  sudo tljh-config set \
                                 services.cull.timeout 3600\n  sudo tljh-config set \
                                 users.extra_user_groups.video ada\n  sudo tljh-config set --json \
                                 users.admin '[\"ada\", \"bob\"]'\n  sudo tljh-config set --stdin \
                                 auth.DummyAuthenticator.password < password.txt"
    )]
    Set(SetArgs),
    /// Remove a key, which then has its default
    #[command(after_long_help = "Example:\n  sudo tljh-config unset limits.memory")]
    Unset {
        /// Names with points between them, such as limits.memory
        #[arg(value_name = "KEY", add = ArgValueCompleter::new(completion::set_keys))]
        key_path: String,
    },
    /// Add values to a list; one that is there already is left alone
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config add-item users.admin teacher\n  \
                                 sudo tljh-config add-item users.allowed ada bob eve"
    )]
    AddItem(ItemArgs),
    /// Remove values from a list; one that is not there is told
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config remove-item users.admin teacher\n  \
                                 sudo tljh-config remove-item users.allowed ada bob"
    )]
    RemoveItem(ItemArgs),
    /// Merge a YAML file into the configuration in one step
    ///
    /// Sections are merged; a value or a list takes the place of the old one; `null` removes a key.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config apply -f class.yaml\n  \
                                 echo 'limits: {memory: 2G, cpu: 1.5}' | sudo tljh-config apply -f -"
    )]
    Apply {
        /// The file to merge; `-` for standard input
        #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Edit the file in an editor, checked before it is written
    ///
    /// The editor is the first of SUDO_EDITOR, VISUAL, EDITOR, sensible-editor, editor, nano and vi; it works
    /// on a private copy. Other changes wait meanwhile. The file is replaced after a `y`, or stays as it was.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config edit\n  sudo EDITOR='vim -u NONE' tljh-config \
                                 edit\n\nExit codes:\n  0  written, or nothing was changed\n  1  \
                                 discarded, kept as a draft, or failed; the file is as it was\n  2  \
                                 wrong usage"
    )]
    Edit,
    /// Check the file: say what is wrong, each at its line and column
    ///
    /// Errors are wrong values, misspelt keys, and certificates that cannot be used; then the exit code is
    /// 1. Warnings alone leave it 0.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config check\n  sudo tljh-config check --deep\n  tljh-config check --json - < draft.yaml"
    )]
    Check {
        /// Another file, which need not be the one in use; - for standard input
        file: Option<PathBuf>,
        /// Have the hub's own Python load it too: classes, their settings, and the snippets
        #[arg(long)]
        deep: bool,
        /// Print a list of objects
        #[arg(long)]
        json: bool,
    },
    /// Apply the configuration: restart the hub, or reload the proxy, and wait until it answers
    ///
    /// A configuration with wrong values, or one that the hub's Python cannot load, is refused before
    /// anything is restarted. If the component does not answer afterwards, the last configuration that
    /// worked is put back and applied. Users' servers keep running.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config reload\n  sudo tljh-config reload proxy"
    )]
    Reload {
        /// What to reload
        #[arg(value_enum, default_value_t)]
        component: Component,
        /// Seconds to wait until it answers
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
        /// Keep a configuration that does not work, and leave the component as it is
        #[arg(long)]
        no_rollback: bool,
    },
    /// Print a configuration for nginx or Apache in front of this proxy
    ///
    /// It is whole, fits what the file says now, and begins with the commands that are still to be run. Nothing is changed.
    #[command(
        after_long_help = "Examples:\n  sudo tljh-config example nginx\n  sudo tljh-config example apache \
                                 --tls --name hub.example.org"
    )]
    Example(ExampleArgs),
    /// List the configurations that were applied and worked, newest first; the last 20 are kept
    #[command(after_long_help = "Example:\n  sudo tljh-config history")]
    History {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Print how the file differs from a configuration that worked, with secrets masked
    ///
    /// Without a number, from the newest that worked: what `reload` would apply.
    #[command(after_long_help = "Examples:\n  sudo tljh-config diff\n  sudo tljh-config diff 12")]
    Diff {
        /// Its number in `tljh-config history`
        number: Option<u64>,
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

/// Words after `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only this key or section
    #[arg(value_name = "KEY", add = ArgValueCompleter::new(completion::keys_and_sections))]
    pub key_path: Option<String>,
    /// With the defaults of all that is not set
    #[arg(long)]
    pub effective: bool,
    /// Say of each value which line sets it, one value on a line
    #[arg(long)]
    pub origin: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Mask passwords, secrets and tokens
    #[arg(long)]
    pub redact: bool,
}

/// Words after `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Names with points between them, such as limits.memory
    #[arg(value_name = "KEY", add = ArgValueCompleter::new(completion::keys_and_sections))]
    pub key_path: String,
    /// As JSON; `null` for a key without a value
    #[arg(long)]
    pub json: bool,
}

/// Words after `set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Names with points between them, such as limits.memory
    #[arg(value_name = "KEY", add = ArgValueCompleter::new(completion::keys))]
    pub key_path: String,
    /// The value
    #[arg(allow_negative_numbers = true, required_unless_present = "stdin", add = ArgValueCompleter::new(completion::values))]
    pub value: Option<String>,
    /// Take the value as text, whatever it looks like
    #[arg(long, conflicts_with = "json")]
    pub string: bool,
    /// Take the value as JSON, such as a list
    #[arg(long)]
    pub json: bool,
    /// Read the value from standard input, which keeps a secret out of the process list and the shell's history
    #[arg(long, conflicts_with = "value")]
    pub stdin: bool,
}

/// Words after `add-item` and `remove-item`.
#[derive(Debug, Args)]
pub struct ItemArgs {
    /// Names with points between them, such as users.admin
    #[arg(value_name = "KEY", add = ArgValueCompleter::new(completion::lists))]
    pub key_path: String,
    /// The values; all of them or none
    #[arg(value_name = "VALUE", required = true, allow_negative_numbers = true, add = ArgValueCompleter::new(completion::values))]
    pub values: Vec<String>,
}

/// Words after `example`.
#[derive(Debug, Args)]
pub struct ExampleArgs {
    /// The other program
    #[arg(value_enum)]
    pub program: OtherProxy,
    /// It serves HTTPS, and sends those who come by HTTP there
    #[arg(long)]
    pub tls: bool,
    /// Host name of the site [default: those of https.letsencrypt.domains, or else any]
    #[arg(long, value_parser = host_name)]
    pub name: Option<String>,
}

/// What may stand in front of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OtherProxy {
    /// nginx, as Debian packages it
    Nginx,
    /// Apache HTTP Server 2.4.47 or newer, as Debian packages it
    Apache,
}

fn host_name(word: &str) -> Result<String, String> {
    let read = Kind::Domains.read(&json!([word]));
    let name = read.map_err(|flaws| {
        let words = flaws.iter().map(|flaw| flaw.words(false));
        words.collect::<Vec<_>>().join("; ")
    })?;
    Ok(name[0].as_str().unwrap_or_default().to_string())
}

/// What `reload` concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// The hub, which reads everything but addresses and ports
    #[default]
    Hub,
    /// The proxy, which reads `http` and `https`
    Proxy,
}
