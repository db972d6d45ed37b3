//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tljh_terminal::Verbosity;

/// Make and look at the user environment of The Littlest JupyterHub
#[derive(Debug, Parser)]
#[command(name = "tljh-user-env", version, arg_required_else_help = true)]
#[command(after_long_help = "\
The environment is a Python virtual environment at /opt/tljh/user. Members of
jupyterhub-admins install packages for everybody with `pip install`.

Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  the command line was not understood

Example:
  Make the environment again after deleting it:
      sudo rm -r /opt/tljh/user && sudo tljh-user-env ensure")]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the environment from the wheels of this package, unless there is one
    Ensure,
    /// Byte-compile the environment, so that servers start faster, and remove what its making left
    Compile,
    /// Tell whether there is an environment, and its Python
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write manual pages and completions
    #[command(hide = true)]
    RenderDocs {
        /// Where to
        folder: PathBuf,
    },
}
