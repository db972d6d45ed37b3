//! systemd, asked and told through systemctl and journalctl.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::command::{CommandError, Invocation, Runner, last_lines};
use crate::paths::Paths;

/// What systemd says about a unit. "Could not ask" is an error, never one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// Running.
    Active,
    /// On its way up or down.
    Changing,
    /// Stopped, or unknown to systemd.
    Inactive,
    /// Ended with a failure.
    Failed,
}

/// systemctl and journalctl, with deadlines.
#[derive(Clone, Copy)]
pub struct Systemd<'a> {
    runner: &'a dyn Runner,
}

/// A unit that stops may take systemd's own stop time-out (90 s) before it is killed.
const JOB_DEADLINE: Duration = Duration::from_secs(120);

impl<'a> Systemd<'a> {
    /// Talks through `runner`.
    pub fn new(runner: &'a dyn Runner) -> Self {
        Self { runner }
    }

    /// Whether systemd runs this machine (sd_booted(3)); false in a chroot that builds an image.
    pub fn is_booted(paths: &Paths) -> bool {
        paths.root().join("run/systemd/system").is_dir()
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<(), CommandError> {
        self.runner
            .run(
                &Invocation::new("systemctl")
                    .args(arguments)
                    .deadline(JOB_DEADLINE),
            )
            .map(drop)
    }

    /// Reads unit files again.
    ///
    /// # Errors
    /// systemctl failed.
    pub fn reload_manager(&self) -> Result<(), CommandError> {
        self.systemctl(&["daemon-reload"])
    }

    /// Starts `unit` and waits for it.
    ///
    /// # Errors
    /// It did not start.
    pub fn start(&self, unit: &str) -> Result<(), CommandError> {
        self.systemctl(&["start", "--", unit])
    }

    /// Starts `unit` without waiting for it.
    ///
    /// # Errors
    /// systemd refused the job: the unit is masked or unknown.
    pub fn begin_start(&self, unit: &str) -> Result<(), CommandError> {
        self.systemctl(&["start", "--no-block", "--", unit])
    }

    /// Stops `unit` and waits for it; a stopped or unknown unit is fine.
    ///
    /// # Errors
    /// It did not stop.
    pub fn stop(&self, unit: &str) -> Result<(), CommandError> {
        match self.systemctl(&["stop", "--", unit]) {
            // systemctl(1): 5 is "unit not loaded".
            Err(CommandError::Failed { code: Some(5), .. }) => Ok(()),
            other => other,
        }
    }

    /// As [`Systemd::stop`], but kills what has not ended after `deadline`, whatever time-out the unit has of its own.
    ///
    /// # Errors
    /// It did not end even so.
    pub fn ensure_stopped(&self, unit: &str, deadline: Duration) -> Result<(), CommandError> {
        let stop = Invocation::new("systemctl").args(["stop", "--", unit]);
        match self.runner.run(&stop.deadline(deadline)) {
            Err(CommandError::Deadline { .. }) => {
                log::warn!(
                    "`{unit}` did not stop within {} s and is killed",
                    deadline.as_secs()
                );
                self.systemctl(&["kill", "--signal=KILL", "--", unit])?;
                self.stop(unit)
            }
            Err(CommandError::Failed { code: Some(5), .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Has `unit` run on what is there now, program and configuration: by its own reload if it has one, else by stopping
    /// and starting it. Waits for that, `deadline` at most.
    ///
    /// # Errors
    /// It did not do so; after a failed reload it runs on as before.
    pub fn renew(&self, unit: &str, deadline: Duration) -> Result<(), CommandError> {
        let renew = Invocation::new("systemctl").args(["reload-or-restart", "--", unit]);
        self.runner.run(&renew.deadline(deadline)).map(drop)
    }

    /// As [`Systemd::renew`], without waiting.
    ///
    /// # Errors
    /// systemd refused the job: the unit is masked or unknown.
    pub fn begin_renewal(&self, unit: &str) -> Result<(), CommandError> {
        self.systemctl(&["reload-or-restart", "--no-block", "--", unit])
    }

    /// Forgets that `unit` failed; unknown units are fine.
    ///
    /// # Errors
    /// systemctl could not be run.
    pub fn reset_failed(&self, unit: &str) -> Result<(), CommandError> {
        self.runner
            .output(&Invocation::new("systemctl").args(["reset-failed", "--", unit]))
            .map(drop)
    }

    /// Has `units` started at boot. Needs no running systemd, and tells a running one nothing.
    ///
    /// # Errors
    /// systemctl failed.
    pub fn enable(&self, units: &[&str]) -> Result<(), CommandError> {
        self.runner
            .run(
                &Invocation::new("systemctl")
                    .args(["enable", "--quiet", "--no-reload", "--"])
                    .args(units),
            )
            .map(drop)
    }

    /// Undoes [`Systemd::enable`].
    ///
    /// # Errors
    /// systemctl failed.
    pub fn disable(&self, units: &[&str]) -> Result<(), CommandError> {
        self.runner
            .run(
                &Invocation::new("systemctl")
                    .args(["disable", "--quiet", "--"])
                    .args(units),
            )
            .map(drop)
    }

    /// What `unit` does now.
    ///
    /// # Errors
    /// systemd could not be asked.
    pub fn state(&self, unit: &str) -> Result<UnitState, CommandError> {
        let asked = Invocation::new("systemctl").args([
            "show",
            "--property=ActiveState",
            "--value",
            "--",
            unit,
        ]);
        Ok(match self.runner.run(&asked)?.stdout.trim() {
            "active" | "reloading" => UnitState::Active,
            "activating" | "deactivating" | "maintenance" => UnitState::Changing,
            "failed" => UnitState::Failed,
            _ => UnitState::Inactive,
        })
    }

    /// Whether `unit` is still to be started, stopped or both, as somebody asked for.
    ///
    /// # Errors
    /// systemd could not be asked.
    pub fn has_job(&self, unit: &str) -> Result<bool, CommandError> {
        let asked =
            Invocation::new("systemctl").args(["show", "--property=Job", "--value", "--", unit]);
        let job = self.runner.run(&asked)?.stdout;
        Ok(!matches!(job.trim(), "" | "0"))
    }

    /// How often systemd has started `unit` again, since somebody last asked for a start.
    ///
    /// # Errors
    /// systemd could not be asked.
    pub fn restarts(&self, unit: &str) -> Result<u32, CommandError> {
        let asked = Invocation::new("systemctl").args([
            "show",
            "--property=NRestarts",
            "--value",
            "--",
            unit,
        ]);
        Ok(self
            .runner
            .run(&asked)?
            .stdout
            .trim()
            .parse()
            .unwrap_or_default())
    }

    /// The last `count` lines that `unit` logged, since `since` if it is given; empty where there is no
    /// journal.
    pub fn journal(&self, unit: &str, count: usize, since: Option<SystemTime>) -> String {
        // A service that just ended may have lines on their way.
        let _ = self
            .runner
            .output(&Invocation::new("journalctl").arg("--sync"));
        let asked =
            Invocation::new("journalctl").args(["--unit", unit, "--no-pager", "--output=cat"]);
        // With both options, journalctl of systemd 252 gives the first lines, not the last.
        let asked = match since.and_then(|since| since.duration_since(UNIX_EPOCH).ok()) {
            Some(since) => asked.arg(format!("--since=@{}", since.as_secs())),
            None => asked.args(["--lines", &count.to_string()]),
        };
        let output = self.runner.output(&asked).map(|output| output.stdout);
        last_lines(&output.unwrap_or_default(), count)
    }
}
