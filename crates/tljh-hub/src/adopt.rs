//! Taking over a machine on which upstream's TLJH was installed.
//!
//! tljh-hub's preinst has set upstream's files aside, in `/opt/tljh/.upstream`, when this begins. What is kept (users,
//! passwords, configuration, snippets, accounts, the user environment) is copied from there; nothing there is ever written
//! to. `adoption.json` beside it is the journal: each step that is done, and what it told. A step may be repeated and killed
//! at any point; a run that follows goes on behind the last one that is done. Once the package is configured `adopted` is
//! written, and until `commit` deletes what is kept, `undo` brings it back.

mod accounts;
mod configuration;
mod copies;
mod environment;
mod error;
mod extras;
mod journal;
mod state;
mod undo;
mod units;

use std::path::{Path, PathBuf};

use tljh_machine::{Paths, Runner, files};

pub use error::AdoptError;
pub use journal::{Journal, Step};
pub use undo::{commit, undo};

/// What preinst did not have to move: nothing of dpkg's comes into its place.
const MOVED: [&str; 5] = [
    "config",
    "state",
    // Of versions before 0.3.
    "config.yaml",
    "jupyterhub_config.d",
    "installer.log",
];

/// An adoption that is under way.
pub struct Adoption<'a> {
    paths: &'a Paths,
    runner: &'a dyn Runner,
    journal: Journal,
}

/// Whether something of upstream's was set aside and is not taken over yet.
pub fn is_pending(paths: &Paths) -> bool {
    let aside = paths.upstream();
    aside.is_dir() && !adopted(&aside).exists() && !undone(&aside).exists()
}

/// Says that all is taken over; tljh-hub's postrm looks for it.
fn adopted(aside: &Path) -> PathBuf {
    aside.join("adopted")
}

/// Says that it is to come back; tljh-hub's postrm looks for it.
fn undone(aside: &Path) -> PathBuf {
    aside.join("undo")
}

impl<'a> Adoption<'a> {
    /// Begins one, or goes on with one that was interrupted; none where there is nothing to take over. What would be in the
    /// way of our links moves beside the rest.
    ///
    /// # Errors
    /// The journal is damaged, or something cannot be moved.
    pub fn begin(paths: &'a Paths, runner: &'a dyn Runner) -> Result<Option<Self>, AdoptError> {
        if !is_pending(paths) {
            return Ok(None);
        }
        let journal = Journal::open(paths)?;
        for name in MOVED {
            let place = paths.prefix().join(name);
            let ours = [paths.configuration(), paths.state()];
            let is_ours = std::fs::read_link(&place).is_ok_and(|target| ours.contains(&target));
            if place.symlink_metadata().is_ok() && !is_ours {
                files::rename(&place, &paths.upstream().join(name))?;
            }
        }
        Ok(Some(Self {
            paths,
            runner,
            journal,
        }))
    }

    /// Takes over everything but the environment, which can wait until people see the login page.
    ///
    /// # Errors
    /// Something cannot be read or written; a repetition goes on there.
    pub fn take_files(&mut self) -> Result<(), AdoptError> {
        let (paths, runner) = (self.paths, self.runner);
        self.step(Step::Earlier, || state::back_up_earlier(paths, runner))?;
        self.step(Step::Configuration, || configuration::take(paths))?;
        self.step(Step::State, || state::take(paths, runner))?;
        self.step(Step::Passwords, || state::take_passwords(paths, runner))?;
        self.step(Step::Accounts, || accounts::take(paths, runner))?;
        self.step(Step::Units, || units::take(paths))?;
        self.step(Step::Extras, || extras::tell(paths))?;
        self.step(Step::Check, || Ok(configuration::check(paths, runner)))
    }

    /// Takes over the user environment.
    ///
    /// # Errors
    /// It cannot be made a generation; it is then where it was.
    pub fn take_environment(&mut self) -> Result<(), AdoptError> {
        let (paths, runner) = (self.paths, self.runner);
        self.step(Step::Environment, || environment::take(paths, runner))
    }

    /// Declares that it is ours now.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn finish(mut self) -> Result<(), AdoptError> {
        self.journal.finish(self.paths)?;
        files::write_atomically(&adopted(&self.paths.upstream()), b"", 0o600)?;
        log::info!(
            "adopting: done; all that was upstream's is kept in {}\n\
             `sudo tljh-hub adopt undo` goes back to it, `sudo tljh-hub adopt commit` deletes it",
            self.paths.upstream().display()
        );
        Ok(())
    }

    fn step(
        &mut self,
        step: Step,
        work: impl FnOnce() -> Result<Vec<String>, AdoptError>,
    ) -> Result<(), AdoptError> {
        if self.journal.is_done(step) {
            return Ok(());
        }
        let told = work()?;
        for line in &told {
            log::info!("adopting: {line}");
        }
        self.journal.note(self.paths, step, told)
    }
}

#[cfg(test)]
mod tests;
