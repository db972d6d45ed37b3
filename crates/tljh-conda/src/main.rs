//! `tljh-conda`: the conda engine of `tljh-user-env`, which alone calls it.
//!
//! One subcommand a run; its request is one JSON object on standard input, its answer one JSON object on standard
//! output. What it does meanwhile is told on standard error: bars on a terminal, else a line for each phase.
//! [`protocol`] describes requests and answers. Exit code 0: done; 1: the answer is `{"error": ...}`; 2: the command
//! line was not understood.
//!
//! What callers may rely on:
//! * `solve` and `search` change nothing but the cache. `link` changes the prefix and the cache.
//! * Packages are unpacked only after their SHA-256 was found right. All are in the cache before `link` touches the
//!   prefix, so that a fetch that fails leaves it as it was.
//! * A file of the prefix is never written in place: what changes is a new file, because the old one may be a hard
//!   link that another environment shares.
//! * Scripts that packages would like to run when they are linked (`post-link`, `pre-unlink`) are not run; a warning
//!   names them. Nothing is byte-compiled.
//! * Killed at any moment, the same request does its work at the next run.
//! * Passwords and tokens in channel addresses appear in no answer, message, log or file.

mod cache;
mod channels;
mod clean;
mod cli;
mod commands;
mod conflict;
mod error;
mod fetch;
mod history;
mod index;
mod installed;
mod link;
mod network;
mod prepare;
mod progress;
mod protocol;
mod search;
mod solve;
mod space;
mod spec;

use std::process::ExitCode;

use clap::Parser;
use nix::sys::stat::{Mode, umask};

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tljh_terminal::init_logging(cli.verbosity);
    // Everybody reads what we make, however strict the administrator is.
    umask(Mode::from_bits_truncate(0o022));
    commands::run(cli.command)
}
