//! One module for each subcommand, or for a few that are much the same.

mod change;
mod check;
mod conda;
mod environments;
mod fallback;
mod generations;
mod packages;
mod question;
mod search;
mod status;
mod switch;
mod take_over;
mod told;
mod upgrade;

use std::io::Write as _;

use clap::CommandFactory as _;
use serde::Serialize;
use tljh_machine::{Paths, SystemRunner};

use crate::bundle::Bundle;
use crate::change::Wish;
use crate::cli::{Cli, Command, Manner, Which};
use crate::environment;
use crate::error::UserEnvError;
use crate::named::{Asked, Environments};
use crate::workshop::Workshop;

/// Does what the command line asks.
pub fn run(cli: Cli) -> Result<(), UserEnvError> {
    let paths = Paths::under(&cli.root);
    let mut workshop = Workshop::new(&paths, &SystemRunner);
    match cli.command {
        Command::Install {
            requirements,
            source,
            which,
            manner,
        } => {
            let mut workshop = of(&paths, &which)?;
            workshop.channels = source.channels;
            let wish = if source.pip {
                Wish::Pip(requirements)
            } else {
                Wish::Install(requirements)
            };
            change::run(&workshop, &wish, manner)
        }
        Command::Remove {
            names,
            which,
            manner,
        } => match environments::meant(&workshop, &which, &names)? {
            Some(meant) => environments::delete(&workshop, &meant, manner),
            None => change::run(&of(&paths, &which)?, &Wish::Remove(names), manner),
        },
        Command::Upgrade {
            defaults: true,
            manner,
            ..
        } => upgrade::defaults(&workshop, manner),
        Command::Upgrade {
            names,
            which,
            manner,
            ..
        } => change::run(&of(&paths, &which)?, &Wish::Upgrade(names), manner),
        Command::Apply {
            file,
            which,
            manner,
        } => change::run(&of(&paths, &which)?, &Wish::Apply(file), manner),
        Command::Export { lock, which } => packages::export(&of(&paths, &which)?, lock),
        Command::Switch {
            engine,
            python,
            manner,
        } => switch::run(&workshop, engine, python.as_deref(), manner),
        Command::Conda { command } => conda::run(&mut workshop, command),
        Command::List { which, form } => packages::list(&of(&paths, &which)?, form.json),
        Command::Create {
            name,
            packages,
            python,
            conda,
            channels,
            display_name,
            again,
            form,
        } => {
            let asked = Asked {
                name,
                python,
                conda,
                title: display_name,
                packages,
                again,
            };
            let mut workshop = Workshop::named(&paths, &SystemRunner, &asked.name);
            workshop.channels = channels;
            environments::create(&workshop, &asked, form.json)
        }
        Command::Delete { names, yes, form } => {
            let manner = Manner {
                dry_run: false,
                yes,
                form,
            };
            environments::delete(&workshop, &names, manner)
        }
        Command::Envs { form } => environments::list(&workshop, form.json),
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
        Command::Fallback { form } => fallback::run(&workshop, form.json),
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
        Command::TakeOver { kept } => take_over::run(&workshop, &kept),
        Command::Compile => environment::compile(&paths, &SystemRunner),
        Command::Status { form } => status::run(&workshop, form.json),
        Command::RenderDocs { folder } => Ok(tljh_terminal::render_docs(Cli::command(), &folder)?),
    }
}

/// For the environment that the command line names.
fn of<'a>(paths: &'a Paths, which: &Which) -> Result<Workshop<'a>, UserEnvError> {
    let Some(name) = &which.environment else {
        return Ok(Workshop::new(paths, &SystemRunner));
    };
    Environments::new(paths).wanted(name)?;
    Ok(Workshop::named(paths, &SystemRunner, name))
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
