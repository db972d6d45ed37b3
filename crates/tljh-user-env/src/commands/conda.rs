//! `conda`: the commands that administrators of conda environments are used to.

use std::fmt::Write as _;

use super::{change, packages, print, print_json};
use crate::change::Wish;
use crate::cli::{CondaCommand, CondaEnvCommand, CondaOptions, Form, Manner};
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::read_manifest;
use crate::workshop::Workshop;

/// Does it in our words.
pub fn run(workshop: &mut Workshop<'_>, command: CondaCommand) -> Result<(), UserEnvError> {
    let active = workshop.generations.active_record()?;
    if active.engine != Engine::Conda {
        return Err(UserEnvError::NotConda {
            what: "`conda`".into(),
        });
    }
    let mut change = |wish: &Wish, options: CondaOptions| {
        let manner = Manner {
            dry_run: options.dry_run,
            yes: options.yes,
            form: Form { json: options.json },
        };
        workshop.channels = options.channels;
        change::run(workshop, wish, manner)
    };
    match command {
        CondaCommand::Install { packages, options } => change(&Wish::Install(packages), options),
        CondaCommand::Remove { packages, options } => change(&Wish::Remove(packages), options),
        CondaCommand::Update {
            packages, options, ..
        } => change(&Wish::Upgrade(packages), options),
        CondaCommand::List { explicit: true, .. } => packages::export(workshop, true),
        CondaCommand::List { json, .. } => list(workshop, json),
        CondaCommand::Search { pattern, json } => search(workshop, &pattern, json),
        CondaCommand::Env {
            command: CondaEnvCommand::Export,
        } => packages::export(workshop, false),
        CondaCommand::Env {
            command: CondaEnvCommand::Update { file, options },
        } => change(&Wish::Apply(file), options),
    }
}

/// As `conda list` prints it.
fn list(workshop: &Workshop<'_>, as_json: bool) -> Result<(), UserEnvError> {
    let active = workshop.generations.active_record()?;
    let packages = read_manifest(&workshop.generations.folder(active.number))?;
    if as_json {
        return print_json(&packages);
    }
    let mut text = format!(
        "# packages in environment at {}:\n#\n{:<25} {:<16} {:<16} Channel\n",
        workshop.generations.link().display(),
        "# Name",
        "Version",
        "Build"
    );
    for package in &packages {
        let (build, channel) = match &package.build {
            Some(build) => (
                build.as_str(),
                package.source.as_deref().unwrap_or_default(),
            ),
            None => ("pypi_0", "pypi"),
        };
        let _ = writeln!(
            text,
            "{:<25} {:<16} {build:<16} {channel}",
            package.name, package.version
        );
    }
    print(&text)
}

fn search(workshop: &Workshop<'_>, pattern: &str, as_json: bool) -> Result<(), UserEnvError> {
    let offers = workshop.conda(&[])?.search(pattern)?;
    if as_json {
        return print_json(&offers);
    }
    let mut text = format!(
        "{:<25} {:<16} {:<16} Channel\n",
        "# Name", "Version", "Build"
    );
    for offer in &offers {
        let _ = writeln!(
            text,
            "{:<25} {:<16} {:<16} {}",
            offer.name, offer.version, offer.build, offer.channel
        );
    }
    print(&text)
}
