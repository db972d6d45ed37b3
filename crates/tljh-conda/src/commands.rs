//! Reads the request, answers it, and tells a failure.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tljh_terminal::render_error;

use crate::cli::Command;
use crate::error::CondaError;
use crate::protocol::{Failure, FailureText};
use crate::{clean, link, search, solve};

/// Does `command` with the request on standard input.
pub fn run(command: Command) -> ExitCode {
    match answer(command) {
        Ok(text) if print(&text).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Standard error may be closed; the answer still tells.
            let _ = std::io::stderr().write_all(render_error(&error, None).as_bytes());
            let failure = Failure {
                error: FailureText {
                    kind: error.kind(),
                    message: error.message(),
                    names: error.names(),
                },
            };
            let _ = print(&serde_json::to_string(&failure).unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn answer(command: Command) -> Result<String, CondaError> {
    // Tests of TLS in a program choose one provider of cryptography; a second attempt finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CondaError::Runtime)?;
    let answer = match command {
        Command::Solve => to_json(&runtime.block_on(solve::run(read()?))?),
        Command::Link => to_json(&runtime.block_on(link::run(read()?))?),
        Command::Search => to_json(&runtime.block_on(search::run(read()?))?),
        Command::Clean => to_json(&runtime.block_on(clean::run(&read()?))?),
    };
    // Work that was given up may still block a thread.
    runtime.shutdown_background();
    answer
}

fn read<T: DeserializeOwned>() -> Result<T, CondaError> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(CondaError::Input)?;
    serde_json::from_str(&text).map_err(CondaError::Request)
}

fn to_json(answer: &impl Serialize) -> Result<String, CondaError> {
    serde_json::to_string(answer).map_err(CondaError::Answer)
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
