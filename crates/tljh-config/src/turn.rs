//! One after the other: who applies a configuration has the machine's services to themselves.
//!
//! A reload that restarts the hub while another one waits for it would make that one fail, and its rollback
//! would take away what this one has just applied. The lock is an flock, so a killed holder releases it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use tljh_machine::{Paths, files};
use tljh_settings::store::{Lock, LockError, holder_of, lock_within};

use crate::commands::deep;
use crate::error::Error;

const PAUSE: Duration = Duration::from_millis(50);

/// The right to apply a configuration, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    lock: Lock,
    asked: SystemTime,
}

impl Turn {
    /// Waits for its turn as long as one that has begun with the same time-out, `seconds`, may need: a check, and
    /// for the configuration and for its rollback a restart and a wait.
    ///
    /// # Errors
    /// The lock cannot be opened, or another program keeps it.
    pub fn take(paths: &Paths, seconds: u64) -> Result<Self, Error> {
        files::ensure_folder(&paths.state(), 0o700)?;
        let deadline = deep::DEADLINE + Duration::from_secs(seconds.saturating_mul(4));
        Self::take_within(&paths.reload_lock(), deadline)
    }

    fn take_within(path: &Path, deadline: Duration) -> Result<Self, Error> {
        let asked = SystemTime::now();
        let named =
            |holder: Option<String>| holder.unwrap_or_else(|| "another program".to_string());
        let locked = lock_within(path, deadline, PAUSE, |file| {
            log::info!(
                "{} is applying a configuration; waiting until it is done ...",
                named(holder_of(file))
            );
        });
        let path = path.to_path_buf();
        match locked {
            Ok(lock) => Ok(Self { lock, asked }),
            Err(LockError::Unusable(source)) => Err(Error::Turn { path, source }),
            Err(LockError::Held(holder)) => Err(Error::Busy {
                path,
                waited: deadline,
                holder: named(holder),
            }),
        }
    }

    /// Whether it came after another one's.
    pub fn waited(&self) -> bool {
        self.lock.waited
    }

    /// When it was asked for.
    pub fn asked(&self) -> SystemTime {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn who_comes_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Turn::take_within(&path, Duration::ZERO).unwrap();
        assert!(!first.waited());
        let second = std::thread::spawn({
            let path = path.clone();
            move || Turn::take_within(&path, Duration::from_secs(30)).unwrap()
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(!second.is_finished());
        drop(first);
        assert!(second.join().unwrap().waited());
    }

    #[test]
    fn who_waits_in_vain_hears_who_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _first = Turn::take_within(&path, Duration::ZERO).unwrap();
        let refused = Turn::take_within(&path, Duration::ZERO).unwrap_err();
        let process = format!("(process {})", std::process::id());
        assert!(refused.to_string().contains(&process), "{refused}");
    }

    #[test]
    fn a_killed_holder_releases_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut holder = Command::new("flock")
            .args(["--no-fork", &path.display().to_string()])
            .args(["sh", "-c", "echo held; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = std::io::BufReader::new(holder.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut printed, &mut line).unwrap();
        assert!(Turn::take_within(&path, Duration::ZERO).is_err());
        holder.kill().unwrap();
        holder.wait().unwrap();
        Turn::take_within(&path, Duration::from_secs(10)).unwrap();
    }
}
