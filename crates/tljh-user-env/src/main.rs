//! `tljh-user-env`: makes, changes and mends the environment in which users' servers and kernels run.

mod activation;
mod build;
mod bundle;
mod bytecode;
mod change;
mod cli;
mod commands;
mod conda;
mod engine;
mod environment;
mod error;
mod export;
mod fallback;
mod front;
mod generations;
mod health;
mod in_use;
mod interrupt;
mod json;
mod lock;
mod manifest;
mod named;
mod origin;
mod progress;
mod python;
mod record;
mod repair;
mod requirement;
mod search;
mod switch;
mod turn;
mod upgrade;
mod uv;
mod verify;
mod workshop;

use std::process::ExitCode;

use clap::Parser;
use nix::sys::stat::{Mode, umask};

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tljh_terminal::init_logging_beside(cli.verbosity, progress::aside);
    // Everybody reads what we make, however strict the administrator is.
    umask(Mode::from_bits_truncate(0o022));
    tljh_terminal::finish(commands::run(cli))
}
