//! Shows, changes and applies `config.yaml`, with upstream's commands.
//!
//! Subcommands, flags and exit codes are those of upstream's `tljh-config`; what a value means comes from
//! the table of keys in `tljh-settings`. An edit never leaves a file that the hub cannot read, and
//! `reload` is the only command that touches a running service.

mod certificates;
mod cli;
mod commands;
mod completion;
mod difference;
mod error;
mod turn;

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;

use crate::cli::Cli;

fn main() -> ExitCode {
    CompleteEnv::with_factory(Cli::command)
        .var(completion::VARIABLE)
        .complete();
    let cli = Cli::parse_or_exit();
    tljh_terminal::init_logging(cli.verbosity);
    tljh_terminal::finish(commands::run(&cli))
}
