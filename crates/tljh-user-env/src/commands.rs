//! The subcommands.

use std::io::Write;

use clap::CommandFactory;
use serde_json::json;
use tljh_machine::{Paths, SystemRunner};

use crate::bundle::Bundle;
use crate::cli::{Cli, Command};
use crate::environment::{Environment, State};
use crate::error::UserEnvError;

/// Does what the command line asks.
pub fn run(command: Command) -> Result<(), UserEnvError> {
    let environment = Environment::new(&Paths::default());
    match command {
        Command::Ensure => environment.ensure(&SystemRunner, &Bundle::installed()),
        Command::Compile => environment.compile(&SystemRunner),
        Command::Status { json } => status(&environment, json),
        Command::RenderDocs { folder } => Ok(tljh_terminal::render_docs(Cli::command(), &folder)?),
    }
}

fn status(environment: &Environment, as_json: bool) -> Result<(), UserEnvError> {
    let path = environment.path().display().to_string();
    let (state, python) = match environment.state()? {
        State::Complete(stamp) => ("complete", Some(stamp.python)),
        State::Interrupted => ("interrupted", None),
        State::Foreign => ("foreign", None),
        State::Absent => ("absent", None),
    };
    let line = if as_json {
        json!({"path": path, "state": state, "python": python}).to_string()
    } else {
        let python = python
            .map(|python| format!(", Python {python}"))
            .unwrap_or_default();
        format!("{path}: {state}{python}")
    };
    writeln!(std::io::stdout(), "{line}").map_err(UserEnvError::Print)
}
