//! The environment as an installation wants it: there is one, it is active, and it is compiled.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tljh_machine::{Paths, Runner, files};

use crate::build::{self, BUNDLE_CACHE, MARKER, STAMP};
use crate::bundle::Bundle;
use crate::bytecode;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::generations::{Active, Generations};
use crate::manifest::{differences, read_manifest};
use crate::named::Environments;
use crate::python::ensure_own_python;
use crate::record::Record;
use crate::turn::Turn;

/// Somebody installs something big; a package that is configured meanwhile does not wait for long.
const PATIENCE: Duration = Duration::from_secs(300);

/// What stands at the environment's path.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// Made by an earlier run that did not finish.
    Interrupted,
    /// Made to the end.
    Complete(Box<Record>),
    /// Something that we did not make.
    Foreign,
}

/// What stands there.
///
/// # Errors
/// A folder or a record cannot be read.
pub fn state(generations: &Generations) -> Result<State, UserEnvError> {
    Ok(match generations.active()? {
        Active::Absent => State::Absent,
        Active::Foreign => State::Foreign,
        Active::Folder if generations.link().join(MARKER).exists() => State::Interrupted,
        // Made before there were generations, and complete but for being taken in by `ensure`.
        Active::Folder if generations.link().join(STAMP).exists() => State::Interrupted,
        Active::Folder => State::Foreign,
        Active::Generation(number) => generations
            .ready(number)?
            .map_or(State::Interrupted, |record| {
                State::Complete(Box::new(record))
            }),
    })
}

/// Brings about that a complete generation is active: the one that is, one that was made before there were
/// generations, the newest that there is, or a new one from `bundle`. Reaches no index.
///
/// # Errors
/// See [`UserEnvError`]; what is active is as before.
pub fn ensure(paths: &Paths, runner: &dyn Runner, bundle: &Bundle) -> Result<(), UserEnvError> {
    let generations = Generations::new(paths);
    refuse_foreign(&generations)?;
    let is_complete = matches!(state(&generations)?, State::Complete(_));
    let _turn = match Turn::take_within(&generations.ensure_root()?, PATIENCE) {
        Err(error @ UserEnvError::Busy { .. }) if is_complete => {
            log::info!("{error}; leaving it as it is");
            return Ok(());
        }
        turn => turn?,
    };
    generations.clean()?;
    let active = ensure_active(&generations, runner, bundle)?;
    // An older version of this program made those that are there without them, or with others.
    let folder = generations.folder(active.number);
    if let Err(error) = build::ensure_hooks(&folder).and_then(|()| ensure_own_python(&folder)) {
        // Servers are started from another one. What somebody broke by hand is no reason for apt to fail.
        log::warn!(
            "the user environment is damaged: {error}\nhint: run `sudo tljh-user-env repair`"
        );
    }
    log::debug!(
        "generation {} is active, Python {}",
        active.number,
        active.python
    );
    Ok(())
}

fn refuse_foreign(generations: &Generations) -> Result<(), UserEnvError> {
    if state(generations)? == State::Foreign {
        return Err(UserEnvError::Foreign {
            path: generations.link().to_path_buf(),
        });
    }
    Ok(())
}

fn ensure_active(
    generations: &Generations,
    runner: &dyn Runner,
    bundle: &Bundle,
) -> Result<Record, UserEnvError> {
    let link = generations.link();
    match generations.active()? {
        Active::Generation(number) => {
            if let Some(record) = generations.ready(number)? {
                return Ok(record);
            }
            let folder = generations.folder(number);
            if folder.join(STAMP).exists() {
                // Taken in by a run that was interrupted.
                return generations.finish(Record::begin(
                    number,
                    Engine::Venv,
                    None,
                    BTreeSet::new(),
                ));
            }
        }
        Active::Folder if link.join(MARKER).exists() => {
            fs::remove_dir_all(link).map_err(|source| UserEnvError::Unfinished {
                path: link.to_path_buf(),
                source,
            })?;
        }
        Active::Folder => {
            let record = generations.adopt(runner)?;
            // The wheels of its making, if nobody has compiled it yet.
            files::ensure_tree_absent(&generations.folder(record.number).join(".uv-cache"))?;
            return Ok(record);
        }
        Active::Absent | Active::Foreign => {}
    }
    let record = match generations.all()?.pop() {
        Some(newest) => newest,
        None => build::build(generations, runner, bundle)?,
    };
    generations.switch(record.number)?;
    Ok(record)
}

/// What can wait until people see the login page: keeps a copy of the active generation, removes the unpacked wheels,
/// and byte-compiles, so that servers, which may not write there, start faster; what stands in for a broken generation
/// is compiled in its place. Files that are no valid Python are left out.
///
/// # Errors
/// There is no complete environment, or Python did not run.
pub fn compile(paths: &Paths, runner: &dyn Runner) -> Result<(), UserEnvError> {
    let generations = Generations::new(paths);
    // Also where nobody asked for it.
    generations.begin_settling()?;
    let environment = match generations.standing_fallback()? {
        // What is broken is not worth a copy.
        Some(fallback) => generations.folder(fallback.generation),
        None => {
            keep_copy(&generations, runner)?;
            generations.link().to_path_buf()
        }
    };
    files::ensure_tree_absent(&generations.cache(BUNDLE_CACHE))?;
    let bundle = Bundle::installed(paths);
    bytecode::compile(&environment, runner, &bundle)?;
    compile_named(paths, runner, &bundle)?;
    generations.end_settling()
}

/// Byte-compiles the named environments that were changed.
fn compile_named(paths: &Paths, runner: &dyn Runner, bundle: &Bundle) -> Result<(), UserEnvError> {
    for environment in Environments::new(paths).all()? {
        if !environment.generations.begin_settling()? {
            continue;
        }
        match bytecode::compile(&environment.folder(), runner, bundle) {
            Ok(()) => environment.generations.end_settling()?,
            Err(error) => log::warn!("`{}` was not byte-compiled: {error}", environment.name),
        }
    }
    Ok(())
}

/// Before anybody changes it by hand, and in place of the copies of generations that are no longer active.
fn keep_copy(generations: &Generations, runner: &dyn Runner) -> Result<(), UserEnvError> {
    // Without one, nothing is made, not even the lock.
    generations.active_record()?;
    let _turn = Turn::take(&generations.ensure_root()?)?;
    let active = generations.active_record()?;
    let now = read_manifest(&generations.folder(active.number))?;
    if differences(&active.packages, &now).is_empty() {
        generations.seal(runner, active.number)?;
    }
    generations.drop_seals_but(active.number)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tljh_machine::Recorder;

    use super::*;

    fn root() -> (tempfile::TempDir, Paths, Generations) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let generations = Generations::new(&paths);
        (root, paths, generations)
    }

    fn make_environment(folder: &Path, mark: &str) {
        let site = folder.join("lib/python3.13/site-packages");
        fs::create_dir_all(&site).unwrap();
        fs::write(folder.join("pyvenv.cfg"), "version_info = 3.13.5\n").unwrap();
        fs::write(folder.join(mark), "{}").unwrap();
    }

    #[test]
    fn somebody_elses_folder_or_link_is_refused_and_left_alone() {
        let (_root, paths, generations) = root();
        let bundle = Bundle::installed(&paths);
        let refused = || {
            let done = ensure(&paths, &Recorder::default(), &bundle);
            assert!(matches!(done, Err(UserEnvError::Foreign { .. })));
            assert!(!generations.root().exists());
        };
        fs::create_dir_all(generations.link()).unwrap();
        fs::write(generations.link().join("mine"), "x").unwrap();
        refused();
        assert!(generations.link().join("mine").exists());
        fs::remove_dir_all(generations.link()).unwrap();
        std::os::unix::fs::symlink("/usr", generations.link()).unwrap();
        refused();
        assert_eq!(
            fs::read_link(generations.link()).unwrap(),
            Path::new("/usr")
        );
    }

    #[test]
    fn an_environment_from_before_generations_becomes_the_first_one() {
        let (_root, paths, generations) = root();
        let bundle = Bundle::installed(&paths);
        make_environment(generations.link(), STAMP);
        assert_eq!(state(&generations).unwrap(), State::Interrupted);
        for _ in 0..2 {
            ensure(&paths, &Recorder::default(), &bundle).unwrap();
            assert_eq!(generations.active().unwrap(), Active::Generation(1));
            assert_eq!(generations.active_record().unwrap().python, "3.13.5");
            assert!(generations.link().join(STAMP).exists());
        }
        // Killed after the exchange, before the record.
        fs::remove_file(generations.root().join("1.json")).unwrap();
        ensure(&paths, &Recorder::default(), &bundle).unwrap();
        assert_eq!(generations.active_record().unwrap().number, 1);
        assert!(generations.link().join(STAMP).exists());
    }

    #[test]
    fn a_lost_link_comes_back_and_unfinished_generations_go() {
        let (_root, paths, generations) = root();
        let bundle = Bundle::installed(&paths);
        make_environment(generations.link(), STAMP);
        ensure(&paths, &Recorder::default(), &bundle).unwrap();
        let begun = generations.begin(&Recorder::default(), Engine::Venv, Some(1), BTreeSet::new());
        make_environment(&generations.folder(begun.unwrap().number), "file");
        fs::create_dir(generations.folder(7)).unwrap();
        fs::remove_file(generations.link()).unwrap();
        ensure(&paths, &Recorder::default(), &bundle).unwrap();
        assert_eq!(generations.active().unwrap(), Active::Generation(1));
        let left: Vec<String> = files::list_folder(generations.root())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(left, [".lock", ".unsettled", "1", "1.json"]);
    }
}
