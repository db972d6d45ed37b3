//! The command line: what to do; all else is in the request.

use clap::{Parser, Subcommand};
use tljh_terminal::Verbosity;

/// The conda engine of tljh-user-env: reads a JSON request, prints a JSON answer
#[derive(Debug, Parser)]
#[command(name = "tljh-conda", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the request on standard input.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Find out which packages a change makes of an environment
    Solve,
    /// Fetch packages, and make a prefix hold exactly these
    Link,
    /// List packages of the channels
    Search,
    /// Remove packages from the cache that no environment shares
    Clean,
}
