//! One module for each subcommand, or for a few that are much the same.

mod change;
mod check;
mod conda;
mod generations;
mod packages;
mod question;
mod search;
mod status;
mod switch;
mod upgrade;

use std::io::Write as _;

use clap::CommandFactory as _;
use serde::Serialize;
use tljh_machine::{Paths, SystemRunner};

use crate::bundle::Bundle;
use crate::change::Wish;
use crate::cli::{Cli, Command};
use crate::environment;
use crate::error::UserEnvError;
use crate::workshop::Workshop;

/// Does what the command line asks.
pub fn run(cli: Cli) -> Result<(), UserEnvError> {
    let paths = Paths::under(&cli.root);
    let mut workshop = Workshop::new(&paths, &SystemRunner);
    match cli.command {
        Command::Install {
            requirements,
            source,
            manner,
        } => {
            workshop.channels = source.channels;
            let wish = if source.pip {
                Wish::Pip(requirements)
            } else {
                Wish::Install(requirements)
            };
            change::run(&workshop, &wish, manner)
        }
        Command::Remove { names, manner } => change::run(&workshop, &Wish::Remove(names), manner),
        Command::Upgrade {
            defaults: true,
            manner,
            ..
        } => upgrade::defaults(&workshop, manner),
        Command::Upgrade { names, manner, .. } => {
            change::run(&workshop, &Wish::Upgrade(names), manner)
        }
        Command::Apply { file, manner } => change::run(&workshop, &Wish::Apply(file), manner),
        Command::Export { lock } => packages::export(&workshop, lock),
        Command::Switch {
            engine,
            python,
            manner,
        } => switch::run(&workshop, engine, python.as_deref(), manner),
        Command::Conda { command } => conda::run(&mut workshop, command),
        Command::List { form } => packages::list(&workshop, form.json),
        Command::Search { name, all, form } => search::run(&workshop, &name, all, form.json),
        Command::History { form } => generations::history(&workshop, form.json),
        Command::Diff { from, to, form } => generations::diff(&workshop, from, to, form.json),
        Command::Rollback { number, form } => generations::rollback(&workshop, number, form.json),
        Command::Prune {
            keep,
            dry_run,
            form,
        } => generations::prune(&workshop, keep, dry_run, form.json),
        Command::Check { deep, form } => check::check(&workshop, deep, form.json),
        Command::Repair { fresh, form } => check::repair(&workshop, fresh, form.json),
        Command::UpgradePython {
            if_changed,
            dry_run,
            form,
        } => upgrade::python(&workshop, if_changed, dry_run, form),
        Command::Ensure => {
            environment::ensure(&paths, &SystemRunner, &Bundle::installed(&paths))?;
            follow_package(&workshop);
            Ok(())
        }
        Command::Compile => environment::compile(&paths, &SystemRunner),
        Command::Status { form } => status::run(&workshop, form.json),
        Command::RenderDocs { folder } => Ok(tljh_terminal::render_docs(Cli::command(), &folder)?),
    }
}

/// What is there stays where this fails, so that it is no failure of the package configuration that asks for it.
fn follow_package(workshop: &Workshop<'_>) {
    if let Err(error) = upgrade::follow_package(workshop) {
        log::warn!(
            "the user environment stays as it is, without the versions that this package brings\n{}\
             hint: run `sudo tljh-user-env upgrade --defaults` to try again",
            tljh_terminal::render_error(&error, None)
        );
    }
}

/// Prints data.
fn print(text: &str) -> Result<(), UserEnvError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(UserEnvError::Print)
}

/// Prints data as one line of JSON.
fn print_json(data: &impl Serialize) -> Result<(), UserEnvError> {
    let text = serde_json::to_string(data).map_err(|error| UserEnvError::Print(error.into()))?;
    print(&format!("{text}\n"))
}
