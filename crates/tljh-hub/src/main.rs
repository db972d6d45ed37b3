//! `tljh-hub`: starts JupyterHub from `config.yaml`, makes hub users' accounts, and sets the machine up
//! when the package is configured or removed.

mod adopt;
mod backup;
mod choice;
mod cli;
mod commands;
mod database;
mod error;
mod first_use;
mod held;
mod migrations;
mod packages;
mod passwords;
mod restore;
#[cfg(test)]
mod testing;
mod traits;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tljh_terminal::init_logging(cli.verbosity);
    tljh_terminal::finish(commands::run(cli.command))
}
