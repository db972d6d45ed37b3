//! Changes of a conda environment, by `tljh-conda`.

use std::path::Path;

use serde_json::Value;

use super::{Base, Wish};
use crate::conda::{Conda, Question, Solution};
use crate::error::UserEnvError;
use crate::front;
use crate::manifest::{self, Difference, HUB, Package, read_manifest};
use crate::python::python_version;
use crate::requirement::Requirement;
use crate::workshop::Workshop;

/// What the environment is to hold.
pub struct Work {
    /// conda's records.
    packages: Vec<Value>,
    /// What people asked for, now and earlier, and what servers are made of.
    asked_for: Vec<String>,
    /// Packages of pip's that conda's take the place of.
    replaced: Vec<String>,
    /// Bytes that have to be free.
    pub room: u64,
}

/// Has `conda` find out what `wish` means for `base`.
///
/// # Errors
/// It cannot be had.
pub fn plan(
    conda: &Conda<'_>,
    wish: &Wish,
    base: &Base,
    needed: &[&str],
) -> Result<(Vec<Difference>, Work), UserEnvError> {
    let mut question = Question {
        prefix: Some(base.environment.clone()),
        ..Question::default()
    };
    let mut python_moves = false;
    match wish {
        Wish::Install(wanted) => {
            python_moves = wanted.iter().any(|one| one.name() == "python");
            question.install = wanted.iter().map(ToString::to_string).collect();
        }
        Wish::Remove(unwanted) => question.remove = condas_names(unwanted, &base.packages)?,
        Wish::Upgrade(wanted) if wanted.is_empty() => {
            question.update = asked_for(base);
            if question.update.is_empty() {
                return Ok((Vec::new(), Work::nothing()));
            }
        }
        Wish::Upgrade(wanted) => question.update = condas_names(wanted, &base.packages)?,
        Wish::Specs(specs) => {
            python_moves = specs.iter().any(|spec| name_of(spec) == "python");
            question.install.clone_from(specs);
        }
        Wish::Hub(version) => question.install = vec![format!("jupyterhub =={version}")],
        // uv's.
        Wish::Pip(_) | Wish::Apply(_) => return Ok((Vec::new(), Work::nothing())),
    }
    question.keep = asked_for(base)
        .into_iter()
        .filter(|name| !question.remove.contains(name))
        .collect();
    question.constrain = constraints(&base.packages, python_moves);
    if matches!(wish, Wish::Hub(_)) {
        question
            .constrain
            .retain(|constraint| !constraint.starts_with("jupyterhub "));
    }
    let solution = conda.solve(&question)?;
    let pips: Vec<Package> = base
        .packages
        .iter()
        .filter(|package| !package.is_condas())
        .cloned()
        .collect();
    refuse_lost(needed, &solution, &pips)?;
    let mut steps = solution.steps.clone();
    let replaced = replaced(&solution, &pips);
    for name in &replaced {
        let gone = base.packages.iter().find(|package| package.is(name));
        if let Some(step) = steps
            .iter_mut()
            .find(|step| manifest::normalize(&step.name) == *name)
        {
            step.before = gone.map(|package| package.version.clone());
        }
    }
    let work = Work {
        room: solution.room(),
        asked_for: question
            .install
            .iter()
            .chain(&question.keep)
            .cloned()
            .chain(needed.iter().map(ToString::to_string))
            .filter(|spec| {
                solution
                    .names()
                    .any(|name| manifest::normalize(name) == manifest::normalize(name_of(spec)))
            })
            .collect(),
        packages: solution.packages,
        replaced,
    };
    Ok((steps, work))
}

/// Does in the clone `new` of `source` what was planned.
///
/// # Errors
/// A package cannot be fetched or written.
pub fn change(
    workshop: &Workshop<'_>,
    work: &Work,
    source: &Path,
    new: &Path,
) -> Result<(), UserEnvError> {
    if !work.replaced.is_empty() {
        let uv = workshop.uv()?;
        uv.pip(
            new,
            Path::new("/"),
            &["uninstall", "--quiet"],
            &work.replaced,
        )?;
    }
    front::ensure_absent(new)?;
    let conda = workshop.conda(&[])?;
    conda.link(
        new,
        workshop.generations.link(),
        &work.packages,
        &work.asked_for,
    )?;
    if workshop.generations.name().is_none() {
        front::ensure(new)?;
    }
    if minor(&python_version(source)?) != minor(&python_version(new)?) {
        // They stand in the folder of the Python before.
        let pips = read_manifest(source)?;
        workshop.ensure_pips(new, &pips)?;
    }
    Ok(())
}

impl Work {
    fn nothing() -> Self {
        Self {
            packages: Vec::new(),
            asked_for: Vec::new(),
            replaced: Vec::new(),
            room: 0,
        }
    }
}

/// The name in a specification, `channel::` before it or not.
pub fn name_of(spec: &str) -> &str {
    let spec = spec.rsplit("::").next().unwrap_or(spec).trim();
    let end = spec
        .find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .unwrap_or(spec.len());
    &spec[..end]
}

/// `3.12` of `3.12.4`.
pub fn minor(version: &str) -> &str {
    let end = version
        .match_indices('.')
        .nth(1)
        .map_or(version.len(), |(at, _)| at);
    &version[..end]
}

/// What moves only if somebody asks for it by name: Python, of which all else depends, and what has to match the hub.
fn constraints(installed: &[Package], python_moves: bool) -> Vec<String> {
    let of = |name: &str| {
        installed
            .iter()
            .find(|package| package.is_condas() && package.is(name))
    };
    let mut constraints = Vec::new();
    if let Some(python) = of("python").filter(|_| !python_moves) {
        constraints.push(format!("python {}.*", minor(&python.version)));
    }
    if let Some(hub) = of(HUB) {
        constraints.push(format!("jupyterhub =={}", hub.version));
    }
    constraints
}

/// Of conda's, those that administrators asked for by name.
fn asked_for(base: &Base) -> Vec<String> {
    let requested = &base.parent.requested;
    base.packages
        .iter()
        .filter(|package| package.is_condas())
        .filter(|package| requested.contains(&manifest::normalize(&package.name)))
        .map(|package| package.name.clone())
        .collect()
}

/// As their channel spells them.
fn condas_names(
    wanted: &[Requirement],
    installed: &[Package],
) -> Result<Vec<String>, UserEnvError> {
    wanted
        .iter()
        .map(|one| {
            let found = installed
                .iter()
                .find(|package| package.is_condas() && package.is(one.name()));
            found
                .map(|package| package.name.clone())
                .ok_or_else(|| UserEnvError::NotInstalled {
                    name: one.name().into(),
                })
        })
        .collect()
}

/// What is `needed` stays: from conda, or from pip as `pips` tell.
///
/// # Errors
/// One would be gone.
pub fn refuse_lost(
    needed: &[&str],
    solution: &Solution,
    pips: &[Package],
) -> Result<(), UserEnvError> {
    let is_there = |name: &str| {
        solution
            .names()
            .any(|left| manifest::normalize(left) == name)
            || pips.iter().any(|package| package.is(name))
    };
    let lost = needed
        .iter()
        .copied()
        .chain(["python"])
        .find(|name| !is_there(name));
    lost.map_or(Ok(()), |name| {
        Err(UserEnvError::Needed { name: name.into() })
    })
}

/// Packages of pip's that conda's of the same name come in the place of.
fn replaced(solution: &Solution, pips: &[Package]) -> Vec<String> {
    pips.iter()
        .filter(|package| solution.names().any(|name| package.is(name)))
        .map(|package| package.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, build: Option<&str>) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            source: None,
            hash: String::new(),
            by_pip: false,
            build: build.map(str::to_string),
        }
    }

    #[test]
    fn python_stays_unless_it_is_named_and_jupyterhub_stays_always() {
        let installed = [
            package("jupyterhub", "6.1.1", Some("0")),
            package("python", "3.12.4", Some("0")),
        ];
        let hub = "jupyterhub ==6.1.1".to_string();
        assert_eq!(
            constraints(&installed, false),
            ["python 3.12.*".to_string(), hub.clone()]
        );
        assert_eq!(constraints(&installed, true), [hub]);
        let by_pip = [package("jupyterhub", "6.1.1", None)];
        assert!(constraints(&by_pip, false).is_empty());
    }

    #[test]
    fn names_are_those_of_the_channel() {
        let installed = [package("some_thing", "1", Some("0"))];
        let asked = |name: &str| condas_names(&[name.parse().unwrap()], &installed);
        assert_eq!(asked("some-thing").unwrap(), ["some_thing"]);
        assert!(matches!(
            asked("none"),
            Err(UserEnvError::NotInstalled { .. })
        ));
        for spec in [
            "r-base=4.3",
            "r-base",
            "conda-forge::r-base >=4",
            "r-base[build=1]",
        ] {
            assert_eq!(name_of(spec), "r-base");
        }
    }
}
