//! `tljh-user-env`: makes the environment in which users' servers and kernels run.

mod bundle;
mod cli;
mod commands;
mod environment;
mod error;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tljh_terminal::init_logging(cli.verbosity);
    tljh_terminal::finish(commands::run(cli.command))
}
