//! The reverse proxy between browsers, JupyterHub and people's servers.
//!
//! It forwards HTTP and WebSocket by the longest matching path prefix, and is told its routes through
//! JupyterHub's proxy REST API (that of configurable-http-proxy). Routes outlive it: they are on disk before
//! the API answers. It reads its settings, and changes nothing on the machine but its own state directory.

mod acme;
mod api;
mod cli;
mod client;
mod clock;
mod commands;
mod durable;
mod error;
mod fault;
mod forward;
mod gathered;
mod handover;
mod https;
mod listen;
mod metrics;
mod pages;
mod routes;
mod seldom;
mod serve;
mod settings;
mod socket;
mod tls;
mod turn;
mod watched;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::cli::{Cli, Command};

/// A request allocates and frees some thirty times, on the thread that serves it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Run(_) = cli.command {
        tljh_terminal::init_service_logging(cli.verbosity);
    } else {
        tljh_terminal::init_logging(cli.verbosity);
    }
    tljh_terminal::finish(match cli.command {
        Command::Run(options) => commands::run::run(&options),
        Command::Listen(options) => commands::listen::run(&options),
        Command::ReloadCertificate(files) => commands::reload_certificate::run(&files),
        Command::Reload(folders) => commands::reload::run(&folders),
        Command::Status(options) => match commands::status::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::RenderDocs { folder } => commands::render_docs::run(&folder),
    })
}
