//! One after the other: who changes the environment has it alone.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Local;
use nix::fcntl::Flock;
use tljh_settings::store::{LockError, lock_within};

use crate::error::UserEnvError;
use crate::record;

/// A big installation may take a while.
pub const DEADLINE: Duration = Duration::from_secs(1800);
const PAUSE: Duration = Duration::from_millis(100);

/// The right to change the environment, until it is dropped; a killed holder gives it back (flock(2)).
#[derive(Debug)]
pub struct Turn {
    file: Flock<File>,
}

impl Turn {
    /// Waits for it, and says for whom.
    ///
    /// # Errors
    /// The lock cannot be opened, or somebody keeps it for half an hour.
    pub fn take(path: &Path) -> Result<Self, UserEnvError> {
        Self::take_within(path, DEADLINE)
    }

    /// As [`Turn::take`], for who cannot wait for so long.
    ///
    /// # Errors
    /// The lock cannot be opened, or somebody keeps it for `deadline`.
    pub fn take_within(path: &Path, deadline: Duration) -> Result<Self, UserEnvError> {
        let locked = lock_within(path, deadline, PAUSE, |_| {
            log::info!("{}; waiting until that is done ...", holder(path));
        });
        match locked {
            Ok(lock) => {
                let mut turn = Self { file: lock.file };
                turn.sign();
                Ok(turn)
            }
            Err(LockError::Unusable(source)) => Err(UserEnvError::Turn {
                path: path.to_path_buf(),
                source,
            }),
            Err(LockError::Held(_)) => Err(UserEnvError::Busy {
                holder: holder(path),
                path: PathBuf::from(path),
            }),
        }
    }

    /// Writes into the lock who has it. Nothing depends on this but a message.
    fn sign(&mut self) {
        let line = record::command_line();
        let command = line.split(' ').next().unwrap_or_default();
        let by = record::who();
        let since = Local::now().format("%H:%M:%S");
        let _ = self.file.set_len(0);
        let _ = self.file.rewind();
        let _ = write!(self.file, "{by} runs `{command}` since {since}");
    }
}

fn holder(path: &Path) -> String {
    std::fs::read_to_string(path)
        .ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "another program changes the environment".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_hears_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = Turn::take(&path).unwrap();
        let error = Turn::take_within(&path, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains(" since "), "{error}");
        drop(first);
        Turn::take_within(&path, Duration::ZERO).unwrap();
    }
}
