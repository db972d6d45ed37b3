//! Changes of a virtual environment, by uv.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tljh_machine::files;

use super::constraints::{condas_pins, hub_pin, installed_needs};
use super::installing::Installing;
use super::{Base, Wish};
use crate::error::UserEnvError;
use crate::interrupt;
use crate::manifest::Difference;
use crate::requirement::Requirement;
use crate::uv::{Uv, read_steps, write_lines};
use crate::workshop::Workshop;

/// What uv is told.
pub struct Work {
    verb: &'static str,
    arguments: Vec<String>,
    // Relative paths in files of requirements start here.
    folder: PathBuf,
    steps: Vec<Difference>,
    // Holds the constraints until uv has read them again.
    _constraints: Option<tempfile::NamedTempFile>,
}

/// Has uv find out what `wish` means for `base`.
///
/// # Errors
/// It cannot be had.
pub fn plan(
    workshop: &Workshop<'_>,
    wish: &Wish,
    base: &Base,
) -> Result<(Vec<Difference>, Work), UserEnvError> {
    let named = named(workshop, wish, base)?;
    let uv = workshop.uv()?;
    let work = work(workshop, wish, &named)?;
    if matches!(wish, Wish::Upgrade(_)) && named.is_empty() {
        return Ok((Vec::new(), work));
    }
    if work.verb == "uninstall" {
        let steps = rehearse(&uv, &base.environment, &work, &work.arguments)?;
        return Ok((steps, work));
    }
    // First so that all that is installed stays content; where that cannot be, uv may move anything but the part
    // that has to match the hub, and the result is checked.
    let moving: BTreeSet<&str> = match wish {
        Wish::Install(wanted) | Wish::Pip(wanted) | Wish::Upgrade(wanted) => {
            wanted.iter().map(Requirement::name).collect()
        }
        _ => BTreeSet::new(),
    };
    let mut pin = match workshop.generations.name() {
        Some(_) => Vec::new(),
        None if matches!(wish, Wish::Hub(_)) => Vec::new(),
        None => hub_pin(&base.packages),
    };
    pin.extend(condas_pins(&base.environment)?);
    let needs = installed_needs(&base.environment, &moving)?;
    let both: Vec<String> = pin.iter().cloned().chain(needs).collect();
    let constrained = |lines: &[String]| -> Result<(Vec<Difference>, Work), UserEnvError> {
        let file = write_lines(lines)?;
        let mut arguments = vec![format!("--constraints={}", file.path().display())];
        arguments.extend_from_slice(&work.arguments);
        let steps = rehearse(&uv, &base.environment, &work, &arguments)?;
        let work = Work {
            verb: work.verb,
            arguments,
            steps: steps.clone(),
            folder: work.folder.clone(),
            _constraints: Some(file),
        };
        Ok((steps, work))
    };
    match constrained(&both) {
        Err(UserEnvError::Conflict { .. }) => constrained(&pin),
        done => done,
    }
}

/// Does in the clone `new` of `source` what was planned.
///
/// # Errors
/// uv failed, or what is installed would no longer fit together.
pub fn change(
    workshop: &Workshop<'_>,
    work: &Work,
    source: &Path,
    new: &Path,
) -> Result<(), UserEnvError> {
    let uv = workshop.uv()?;
    let content = uv.conflicts(source).unwrap_or_default();
    let installing = Installing::begin(new, &work.steps);
    let mut look = |report: &str| {
        installing.look(report);
        !interrupt::is_asked()
    };
    uv.pip_watched(new, &work.folder, &[work.verb], &work.arguments, &mut look)?;
    drop(installing);
    refuse_new_conflicts(&content, uv.conflicts(new)?)
}

fn work(workshop: &Workshop<'_>, wish: &Wish, named: &[String]) -> Result<Work, UserEnvError> {
    let mut folder = PathBuf::from("/");
    let (verb, arguments) = match wish {
        Wish::Remove(_) => ("uninstall", named.to_vec()),
        Wish::Apply(file) => {
            files::read(file)?;
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            folder = file.parent().unwrap_or(&folder).to_path_buf();
            let argument = format!("--requirements={}", file.display());
            ("install", vec![argument])
        }
        // The bundle has it, and what it needs is there.
        Wish::Hub(_) => {
            let wheels = format!("--find-links={}", workshop.bundle.wheels().display());
            ("install", names_last(&[wheels], named))
        }
        Wish::Install(_) | Wish::Pip(_) | Wish::Specs(_) => ("install", names_last(&[], named)),
        Wish::Upgrade(_) => {
            let upgrades: Vec<String> = named
                .iter()
                .map(|name| format!("--upgrade-package={name}"))
                .collect();
            ("install", names_last(&upgrades, named))
        }
    };
    Ok(Work {
        verb,
        arguments,
        folder,
        steps: Vec::new(),
        _constraints: None,
    })
}

/// What uv is told, by name: refused where it is not installed, and must be.
fn named(workshop: &Workshop<'_>, wish: &Wish, base: &Base) -> Result<Vec<String>, UserEnvError> {
    let find = |name: &str| base.packages.iter().any(|package| package.name == name);
    match wish {
        Wish::Install(wanted) | Wish::Pip(wanted) => {
            Ok(wanted.iter().map(ToString::to_string).collect())
        }
        Wish::Hub(version) => Ok(vec![format!("jupyterhub=={version}")]),
        Wish::Apply(_) | Wish::Specs(_) => Ok(Vec::new()),
        Wish::Upgrade(wanted) if wanted.is_empty() => asked_for(workshop, base),
        Wish::Upgrade(wanted) | Wish::Remove(wanted) => {
            for requirement in wanted {
                let name = requirement.name();
                if !find(name) {
                    return Err(UserEnvError::NotInstalled { name: name.into() });
                }
                if matches!(wish, Wish::Remove(_)) && workshop.needed().contains(&name) {
                    return Err(UserEnvError::Needed { name: name.into() });
                }
            }
            Ok(wanted.iter().map(|wanted| wanted.name().into()).collect())
        }
    }
}

/// The packages that administrators asked for by name, of us or of pip; those of the bundle that everybody has move with
/// this package.
fn asked_for(workshop: &Workshop<'_>, base: &Base) -> Result<Vec<String>, UserEnvError> {
    let bundled: BTreeSet<String> = match workshop.generations.name() {
        Some(_) => BTreeSet::new(),
        None => workshop
            .bundle
            .entries()?
            .into_iter()
            .map(|entry| entry.name)
            .collect(),
    };
    let requested = &base.parent.requested;
    Ok(base
        .packages
        .iter()
        .filter(|package| !package.is_condas())
        .filter(|package| package.by_pip || requested.contains(&package.name))
        .filter(|package| !bundled.contains(&package.name))
        .map(|package| package.name.clone())
        .collect())
}

/// What uv would do.
fn rehearse(
    uv: &Uv<'_>,
    environment: &Path,
    work: &Work,
    arguments: &[String],
) -> Result<Vec<Difference>, UserEnvError> {
    let verb = [work.verb, "--dry-run"];
    let report = uv.pip(environment, &work.folder, &verb, arguments)?;
    Ok(read_steps(&report))
}

/// No name is taken for an option.
fn names_last(options: &[String], names: &[String]) -> Vec<String> {
    let mut arguments = options.to_vec();
    arguments.push("--".into());
    arguments.extend_from_slice(names);
    arguments
}

/// What was amiss before may stay so.
fn refuse_new_conflicts(before: &[String], after: Vec<String>) -> Result<(), UserEnvError> {
    let (old, new): (Vec<String>, Vec<String>) =
        after.into_iter().partition(|line| before.contains(line));
    for line in old {
        log::warn!("{line}");
    }
    if new.is_empty() {
        return Ok(());
    }
    Err(UserEnvError::WouldBreak { broken: new })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_breaks_anew_is_refused() {
        let old = vec!["The package `a` requires `b`".to_string()];
        assert!(refuse_new_conflicts(&old, old.clone()).is_ok());
        let new = vec!["The package `c` requires `d`".to_string()];
        assert!(matches!(
            refuse_new_conflicts(&old, new.clone()),
            Err(UserEnvError::WouldBreak { broken }) if broken == new
        ));
    }
}
