//! When no server starts from the active generation: which one stands in for it until it is mended.
//!
//! The hub asks once a server ended at its start. The answer is kept in `fallback.json` beside the generations, which
//! everybody may read, and holds for as long as the active generation looks as it did. Nothing is switched here: what
//! is active is for administrators to say.

mod programs;
mod seen;
mod standing;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use tljh_machine::{Systemd, files};

use crate::build;
use crate::bytecode;
use crate::error::UserEnvError;
use crate::generations::Active;
use crate::health::open_up;
use crate::interrupt;
use crate::json;
use crate::record::Record;
use crate::turn::Turn;
use crate::verify::verify;
use crate::workshop::{COMPILATION, Workshop};
use seen::seen;
pub use standing::Fallback;

/// A class that logs in at once waits for one trial: of the active generation, and of those that may stand in.
const TRIAL_DEADLINE: Duration = Duration::from_secs(600);
/// People wait for their servers; an older generation is found without a turn.
const TURN_DEADLINE: Duration = Duration::from_secs(20);
/// For so long a trial that went well is not repeated, in seconds.
const TRUSTED: i64 = 60;
/// What the hub starts, below an environment.
const PROGRAM: &str = "bin/jupyterhub-singleuser";
/// More is of no use on a page or in a journal's line.
const LONGEST_REASON: usize = 300;

/// What a trial came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Servers start from the active generation. `mended` says that they may not have done so a moment ago.
    Sound {
        /// Modes were set right, or somebody switched.
        mended: bool,
    },
    /// They do not.
    Instead(Fallback),
}

/// A trial that went well.
#[derive(Serialize, Deserialize)]
struct Trust {
    seen: String,
    mended: bool,
    // Seconds since 1970.
    at: i64,
}

impl Workshop<'_> {
    /// Finds out whether servers start from the active generation, and which one stands in if they do not. Who comes
    /// while somebody else finds it out waits for that.
    ///
    /// # Errors
    /// It cannot be found out, or nothing works.
    pub fn fallback(&self) -> Result<Verdict, UserEnvError> {
        if let Some(known) = self.generations.standing_fallback()? {
            return Ok(Verdict::Instead(known));
        }
        if !Uid::effective().is_root() {
            return Err(UserEnvError::NotRoot);
        }
        let root = self.generations.ensure_root()?;
        let _trial = Turn::take_within(&root.with_file_name(".trial"), TRIAL_DEADLINE)?;
        if let Some(known) = self.generations.standing_fallback()? {
            return Ok(Verdict::Instead(known));
        }
        let before = self.generations.active()?;
        // As it looks before the trial: what is changed in the meantime is tried out again.
        let mut look = seen(&self.generations);
        if let Some(mended) = self.trusted(&look)? {
            return Ok(Verdict::Sound { mended });
        }
        log::info!("trying out the active generation ...");
        let Some(reason) = self.problem_of_active(&before)? else {
            return self.sound(look, false);
        };
        if self.opened(&before) {
            look = seen(&self.generations);
            if self.problem_of_active(&before)?.is_none() {
                return self.sound(look, true);
            }
        }
        log::warn!("servers do not start from the active generation: {reason}");
        let generation = self.last_good(&before)?;
        if self.generations.active()? != before {
            // What is switched to was tried out.
            return self.sound(seen(&self.generations), true);
        }
        let fallback = Fallback {
            broken: number(&before).flatten(),
            generation,
            reason,
            since: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            seen: look,
        };
        self.record(&fallback)?;
        Ok(Verdict::Instead(fallback))
    }

    /// Whether the active generation, as it is now, was tried out a moment ago, and whether it was mended for that.
    fn trusted(&self, look: &str) -> Result<Option<bool>, UserEnvError> {
        let text = files::read_optional(&self.trust_path())?;
        let trust = text.and_then(|text| serde_json::from_str::<Trust>(&text).ok());
        Ok(trust
            .filter(|trust| {
                let age = Utc::now().timestamp() - trust.at;
                (0..TRUSTED).contains(&age) && trust.seen == look
            })
            .map(|trust| trust.mended))
    }

    fn trust_path(&self) -> PathBuf {
        self.generations.cache("trial.json")
    }

    fn sound(&self, seen: String, mended: bool) -> Result<Verdict, UserEnvError> {
        self.generations.ensure_no_fallback()?;
        let trust = Trust {
            seen,
            mended,
            at: Utc::now().timestamp(),
        };
        self.write(&self.trust_path(), &trust, 0o600)?;
        Ok(Verdict::Sound { mended })
    }

    /// Why no server starts from the active generation; none if one does.
    fn problem_of_active(&self, active: &Active) -> Result<Option<String>, UserEnvError> {
        let record = match self.generations.active_record() {
            Ok(record) => record,
            Err(error @ (UserEnvError::Incomplete { .. } | UserEnvError::Stamp { .. }))
                if matches!(active, Active::Absent | Active::Generation(_)) =>
            {
                return Ok(Some(reason(&error)));
            }
            // Somebody made it without us.
            Err(error) => return Err(error),
        };
        // A trial does without it, as it names the Python behind the link.
        let program = self.generations.folder(record.number).join(PROGRAM);
        if !is_executable(&program) {
            return Ok(Some(format!(
                "`{}` is missing or not executable",
                program.display()
            )));
        }
        match self.tried(&record) {
            Ok(()) => Ok(None),
            Err(error @ UserEnvError::Broken { .. }) => Ok(Some(reason(&error))),
            Err(error) => Err(error),
        }
    }

    fn tried(&self, record: &Record) -> Result<(), UserEnvError> {
        verify(&self.generations.folder(record.number), &record.packages)
    }

    /// Opens what a strict umask closed; whether there was any.
    fn opened(&self, active: &Active) -> bool {
        let Active::Generation(number) = active else {
            return false;
        };
        match open_up(&self.generations.folder(*number)) {
            Ok(count) => count > 0,
            Err(error) => {
                log::warn!("{error}");
                false
            }
        }
    }

    /// A generation that works: what stood in before, the active one as it was made, those that it came from, and in
    /// the end one from the bundle.
    fn last_good(&self, active: &Active) -> Result<u64, UserEnvError> {
        let broken = self.generations.active_or_lost();
        let works = |record: &Record| {
            log::info!("trying out generation {} ...", record.number);
            // Ours may be newer than those that it was made with.
            build::ensure_hooks(&self.generations.folder(record.number))
                .and_then(|()| self.tried(record))
                .map_err(|error| log::warn!("{error}"))
                .is_ok()
        };
        if let Some(previous) = self.generations.fallback()?
            && Some(previous.broken) == number(active)
            && let Some(record) = self.generations.ready(previous.generation)?
            && works(&record)
        {
            return Ok(record.number);
        }
        if let Some(broken) = &broken
            && let Some(number) = self.aside(|| self.copy_sealed(broken))
        {
            return Ok(number);
        }
        for record in self.generations.earlier(broken.as_ref())? {
            if works(&record) {
                return Ok(record.number);
            }
            if let Some(number) = self.aside(|| self.copy_sealed(&record)) {
                return Ok(number);
            }
            interrupt::refuse()?;
        }
        let _turn = self.begin_soon()?;
        self.build_aside().map(|record| record.number)
    }

    /// Makes a generation, if the turn is ours soon.
    fn aside(&self, make: impl FnOnce() -> Result<Option<Record>, UserEnvError>) -> Option<u64> {
        match self.begin_soon().and_then(|_turn| make()) {
            Ok(record) => record.map(|record| record.number),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        }
    }

    fn begin_soon(&self) -> Result<Turn, UserEnvError> {
        let turn = Turn::take_within(&self.generations.ensure_root()?, TURN_DEADLINE)?;
        self.generations.clean()?;
        Ok(turn)
    }

    /// A new generation, not active, from the kept copy of `record`; none if there is no such copy.
    ///
    /// # Errors
    /// It cannot be made, or does not work.
    pub fn copy_sealed(&self, record: &Record) -> Result<Option<Record>, UserEnvError> {
        let sealed = self.generations.sealed(record.number);
        if !sealed.is_dir() {
            return Ok(None);
        }
        log::info!("copying generation {} as it was made", record.number);
        let new = self.generations.begin(
            self.runner,
            record.engine,
            Some(record.number),
            record.requested.clone(),
        )?;
        let old = self.generations.folder(record.number);
        // The copy was taken before there was any; nobody should wait for Python to compile it again.
        self.make_aside(&new, &sealed, |folder| {
            bytecode::share(&old, folder);
            Ok(())
        })
        .map(Some)
    }

    fn record(&self, fallback: &Fallback) -> Result<(), UserEnvError> {
        let folder = self.generations.folder(fallback.generation);
        let programs = self.generations.fallback_programs();
        programs::ensure(&folder, self.generations.link(), &programs)?;
        self.write(&self.generations.fallback_path(), fallback, 0o644)?;
        self.begin_compilation();
        Ok(())
    }

    /// Servers need no bytecode, but start faster with it.
    fn begin_compilation(&self) {
        if !Systemd::is_booted(self.paths) {
            return;
        }
        let begun = self
            .generations
            .mark_unsettled()
            .and_then(|()| Ok(Systemd::new(self.runner).begin_renewal(COMPILATION)?));
        if let Err(error) = begun {
            log::warn!("it was not byte-compiled: {error}");
        }
    }

    fn write(&self, path: &Path, data: &impl Serialize, mode: u32) -> Result<(), UserEnvError> {
        if let Some(folder) = path.parent() {
            files::ensure_folder(folder, if mode == 0o600 { 0o700 } else { 0o755 })?;
        }
        json::write(path, data, mode)
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o001 != 0)
}

/// The number of the active generation, if it has one; none for what we did not make.
fn number(active: &Active) -> Option<Option<u64>> {
    match active {
        Active::Generation(number) => Some(Some(*number)),
        Active::Absent => Some(None),
        Active::Folder | Active::Foreign => None,
    }
}

/// What went wrong and its last cause, on one line.
fn reason(error: &UserEnvError) -> String {
    let text = match error {
        UserEnvError::Broken { what, log } => {
            format!("{what}: {}", log.lines().last().unwrap_or_default())
        }
        other => other.to_string(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST_REASON).collect()
}
