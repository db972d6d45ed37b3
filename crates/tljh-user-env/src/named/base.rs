//! What a named environment is made of, by either engine.

use std::path::{Path, PathBuf};

use super::{Asked, Environment, KERNEL, Version};
use crate::build::{drop_leftovers, ensure_hooks, name_the_link};
use crate::bundle::Bundle;
use crate::conda::{Question, Solution};
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::manifest::{Package, normalize, read_manifest};
use crate::progress::Progress;
use crate::python::{python_version, system_python};
use crate::record::Record;
use crate::requirement::Requirement;
use crate::workshop::Workshop;

/// Room for a Python environment with a kernel and a few packages.
const ROOM: u64 = 400_000_000;
/// What every environment has.
const BASE: [&str; 2] = [KERNEL, "pip"];

/// What an environment is made of.
pub enum Base {
    /// A virtual environment of this interpreter, to which packages come.
    Venv(PathBuf),
    /// Packages of conda's, the wanted ones among them.
    Conda(Solution),
}

impl Base {
    /// The interpreter, or what conda finds, for what is asked for.
    ///
    /// # Errors
    /// The machine or the channels do not have it.
    pub fn choose(
        workshop: &Workshop<'_>,
        asked: &Asked,
        old: Option<&Environment>,
    ) -> Result<Self, UserEnvError> {
        if asked.conda || old.is_some_and(|old| old.record.engine == Engine::Conda) {
            return solve(workshop, asked, old).map(Self::Conda);
        }
        if let Some(version) = asked.python {
            let none = || UserEnvError::NoInterpreter {
                version,
                name: asked.name.clone(),
            };
            return Ok(Self::Venv(version.find().ok_or_else(none)?));
        }
        let as_before = old.and_then(|old| Version::of(&old.record.python)?.find());
        Ok(Self::Venv(as_before.unwrap_or_else(system_python)))
    }

    /// Which engine that is.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Venv(_) => Engine::Venv,
            Self::Conda(_) => Engine::Conda,
        }
    }

    /// Fills the empty `folder` of the generation of `record`: a kernel, the packages of `old` if that is made anew, and
    /// those that are asked for.
    ///
    /// # Errors
    /// They cannot be had, or do not fit together.
    pub fn make(
        &self,
        workshop: &Workshop<'_>,
        asked: &Asked,
        old: Option<&Environment>,
        record: &Record,
        folder: &Path,
    ) -> Result<(), UserEnvError> {
        let python = match self {
            Self::Venv(python) => python,
            Self::Conda(solution) => return make_conda(workshop, solution, old, folder),
        };
        make_venv(workshop, python, folder)?;
        let version = Version::of(&python_version(folder)?);
        let mut wanted = match old {
            Some(old) => kept_packages(old, version)?,
            None => Vec::new(),
        };
        wanted.retain(|one| asked.packages.iter().all(|new| new.name() != one.name()));
        wanted.extend(asked.packages.iter().cloned());
        if wanted.is_empty() {
            return Ok(());
        }
        workshop.furnish(record, folder, wanted)
    }

    /// Bytes that have to be free.
    pub fn room(&self) -> u64 {
        match self {
            Self::Venv(_) => ROOM,
            Self::Conda(solution) => ROOM + solution.room(),
        }
    }
}

/// Has conda find a Python, a kernel and what is asked for.
fn solve(
    workshop: &Workshop<'_>,
    asked: &Asked,
    old: Option<&Environment>,
) -> Result<Solution, UserEnvError> {
    let version = asked.python.or_else(|| Version::of(&old?.record.python));
    let mut install = vec![
        version.map_or("python".into(), |version| format!("python {version}.*")),
        KERNEL.into(),
        "pip".into(),
    ];
    install.extend(asked.packages.iter().map(ToString::to_string));
    if let Some(old) = old {
        // Of one that was not conda's, all that somebody asked for.
        let moves = |package: &Package| package.is_condas() || old.record.engine == Engine::Venv;
        let requested = &old.record.requested;
        let kept = read_manifest(&old.folder())?
            .into_iter()
            .filter(|package| moves(package) && requested.contains(&normalize(&package.name)))
            .filter(|package| asked.packages.iter().all(|new| !package.is(new.name())));
        install.extend(kept.map(|package| package.name));
    }
    workshop.conda(&[])?.solve(&Question {
        install,
        ..Question::default()
    })
}

/// Links what conda found, and has pip's packages of an environment that is made anew again.
fn make_conda(
    workshop: &Workshop<'_>,
    solution: &Solution,
    old: Option<&Environment>,
    folder: &Path,
) -> Result<(), UserEnvError> {
    let step = Progress::begin(&format!(
        "fetching and linking {} packages",
        solution.packages.len()
    ));
    let known = workshop.generations.link();
    workshop
        .conda(&[])?
        .link(folder, known, &solution.packages, &[])?;
    drop(step);
    ensure_hooks(folder)?;
    match old {
        Some(old) if old.record.engine == Engine::Conda => {
            workshop.ensure_pips(folder, &read_manifest(&old.folder())?)
        }
        _ => Ok(()),
    }
}

/// Makes a virtual environment with a kernel and pip in the empty `folder`: of the bundle's wheels if they are for this
/// Python, else of the index.
///
/// # Errors
/// The wheels cannot be had.
pub fn make_venv(
    workshop: &Workshop<'_>,
    python: &Path,
    folder: &Path,
) -> Result<(), UserEnvError> {
    let _step = Progress::begin(&format!("making an environment of {}", python.display()));
    let uv = workshop.uv()?;
    workshop.runner.run(
        &uv.invocation(&["venv", "--quiet", "--allow-existing", "--python"])
            .arg(python)
            .arg(folder)
            .env("UV_NO_CONFIG", "1")
            .env("UV_OFFLINE", "1"),
    )?;
    name_the_link(folder, workshop.generations.link())?;
    // Before the first program is installed: programs name the interpreter as the hook tells it.
    ensure_hooks(folder)?;
    let version = Version::of(&python_version(folder)?);
    let arguments = if version.is_some() && version == Version::own() {
        bundled(&workshop.bundle)?
    } else {
        [&["--"], &BASE[..]]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    uv.pip(folder, Path::new("/"), &["install", "--quiet"], &arguments)?;
    drop_leftovers(folder)
}

/// What uv is told to take from the bundle alone, each file by its hash.
fn bundled(bundle: &Bundle) -> Result<Vec<String>, UserEnvError> {
    let mut arguments = vec![
        "--no-index".into(),
        "--require-hashes".into(),
        format!("--find-links={}", bundle.wheels().display()),
        format!("--constraints={}", bundle.requirements().display()),
        "--".into(),
    ];
    let locked = bundle.entries()?;
    let wanted = locked
        .iter()
        .filter(|entry| BASE.contains(&entry.name.as_str()));
    arguments.extend(wanted.map(|entry| format!("{}=={}", entry.name, entry.version)));
    Ok(arguments)
}

/// What an environment that is made anew gets again: what somebody asked for by name. Versions stay where its Python
/// does.
fn kept_packages(
    old: &Environment,
    version: Option<Version>,
) -> Result<Vec<Requirement>, UserEnvError> {
    let same = version.is_some() && version == Version::of(&old.record.python);
    let mut wanted = Vec::new();
    for package in read_manifest(&old.folder())? {
        if !(package.by_pip || old.record.requested.contains(&package.name)) {
            continue;
        }
        let text = if same {
            format!("{}=={}", package.name, package.version)
        } else {
            package.name.clone()
        };
        match (&package.source, text.parse()) {
            (None, Ok(requirement)) => wanted.push(requirement),
            _ => log::warn!(
                "`{}` did not come from an index, and is left out",
                package.name
            ),
        }
    }
    Ok(wanted)
}
