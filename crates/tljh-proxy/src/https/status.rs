//! What `tljh-proxy status` shows: a file that the proxy renews whenever something of it changes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use procfs::process::Process;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::clock;
use crate::durable;
use crate::tls::Facts;

/// The state of HTTPS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The proxy that wrote it.
    pub process: ProcessMark,
    /// Where the certificate is to come from.
    pub source: Source,
    /// The certificate that is served, if it is one that browsers may believe.
    pub certificate: Option<Facts>,
    /// Whether HTTP sends people on to HTTPS.
    pub redirects: bool,
    /// Host names that are asked for, for a CA.
    pub domains: Vec<String>,
    /// URL of the CA's directory.
    pub directory: Option<String>,
    /// When the CA last gave a certificate.
    #[serde(with = "clock::rfc3339_or_null")]
    pub last_success: Option<SystemTime>,
    /// The way in which the CA last saw that the names are ours: `http-01` or `tls-alpn-01`.
    pub last_method: Option<String>,
    /// What went wrong last, if nothing has gone well since.
    pub last_error: Option<Trouble>,
    /// How often in a row it went wrong.
    pub failures: u32,
    /// When the CA is asked next.
    #[serde(with = "clock::rfc3339_or_null")]
    pub next_try: Option<SystemTime>,
    /// Whether the CA itself has said when it may be asked again.
    pub told_to_wait: bool,
    /// What may go wrong.
    pub warnings: Vec<String>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// HTTPS is off.
    #[default]
    None,
    /// Files of the administrator's.
    Own,
    /// A CA that speaks ACME.
    Acme,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    #[serde(with = "clock::rfc3339")]
    pub at: SystemTime,
    /// In plain words.
    pub what: String,
    /// One command that helps.
    pub hint: Option<String>,
}

/// A process, told apart from later ones of the same number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// Its number.
    pub pid: i32,
    /// Clock ticks between the boot and its start.
    pub started: u64,
}

impl ProcessMark {
    /// This process.
    pub fn own() -> Self {
        let stat = Process::myself().and_then(|process| process.stat());
        stat.map_or(Self::default(), |stat| Self {
            pid: stat.pid,
            started: stat.starttime,
        })
    }

    /// Whether it runs.
    pub fn is_running(self) -> bool {
        let stat = Process::new(self.pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| stat.starttime == self.started && !matches!(stat.state, 'Z' | 'X'))
    }
}

impl Status {
    /// Where the status is kept.
    pub fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("status.json")
    }

    /// Reads what a proxy wrote last.
    ///
    /// # Errors
    /// The file is absent, unreadable, or not the JSON that is expected.
    pub fn read(state_dir: &Path) -> io::Result<Self> {
        let text = std::fs::read(Self::path(state_dir))?;
        serde_json::from_slice(&text).map_err(io::Error::from)
    }

    fn write(&self, state_dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        durable::replace(&Self::path(state_dir), &text)
    }
}

/// The status of this process, on disk whenever it has changed.
#[derive(Debug)]
pub struct StatusFile {
    state_dir: PathBuf,
    status: Mutex<Status>,
}

impl StatusFile {
    /// Begins with this status.
    pub fn new(state_dir: PathBuf, status: Status) -> Self {
        note_failure(status.write(&state_dir), &state_dir);
        Self {
            state_dir,
            status: Mutex::new(status),
        }
    }

    /// Changes the status, and gives what it is then. That it cannot be written is told in the log alone.
    pub async fn update(&self, change: impl FnOnce(&mut Status)) -> Status {
        let mut status = self.status.lock().await;
        let before = status.clone();
        change(&mut status);
        if *status != before {
            let (new, folder) = (status.clone(), self.state_dir.clone());
            let written = spawn_blocking(move || new.write(&folder)).await;
            note_failure(
                written.unwrap_or_else(|error| Err(io::Error::other(error))),
                &self.state_dir,
            );
        }
        status.clone()
    }

    /// What the status is now.
    pub async fn get(&self) -> Status {
        self.status.lock().await.clone()
    }
}

fn note_failure(written: io::Result<()>, state_dir: &Path) {
    if let Err(error) = written {
        log::warn!(
            "could not write `{}`: {error}",
            Status::path(state_dir).display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_an_older_one_of_its_number_does_not() {
        let own = ProcessMark::own();
        assert!(own.is_running() && own.pid > 0);
        assert!(
            !ProcessMark {
                started: own.started + 1,
                ..own
            }
            .is_running()
        );
        assert!(!ProcessMark::default().is_running());
    }
}
