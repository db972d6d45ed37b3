//! A lock that is waited for: flock(2), which a killed holder releases.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::holder_of;

/// A shorter wait is not worth a word.
const SILENCE: Duration = Duration::from_secs(1);

/// A lock that was had.
#[derive(Debug)]
pub struct Lock {
    /// The locked file; closed, it is free.
    pub file: Flock<File>,
    /// Whether another program held it at first.
    pub waited: bool,
}

/// Why a lock was not had.
#[derive(Debug)]
pub enum LockError {
    /// The file cannot be opened or locked.
    Unusable(io::Error),
    /// Another program, which is named where it is known, held it until the deadline.
    Held(Option<String>),
}

/// Locks the file at `path`, which is made, mode 0600, if there is none. It is tried again after each `pause` until
/// `deadline` has passed. After a second of waiting `tell` is called once, with the file, to say who holds it.
///
/// # Errors
/// Those of [`LockError`].
pub fn lock_within(
    path: &Path,
    deadline: Duration,
    pause: Duration,
    tell: impl FnOnce(&File),
) -> Result<Lock, LockError> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(LockError::Unusable)?;
    let began = Instant::now();
    let mut waited = false;
    let mut tell = Some(tell);
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => return Ok(Lock { file, waited }),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, error)) => return Err(LockError::Unusable(error.into())),
        };
        waited = true;
        let since = began.elapsed();
        if since >= deadline {
            return Err(LockError::Held(holder_of(&file)));
        }
        if since >= SILENCE
            && let Some(tell) = tell.take()
        {
            tell(&file);
        }
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_long_is_told_once_and_who_does_not_wait_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let pause = Duration::from_millis(10);
        let silent = |_: &File| panic!("nobody waits");
        let first = lock_within(&path, Duration::ZERO, pause, silent).unwrap();
        assert!(!first.waited);
        let mut told = 0;
        let refused = lock_within(&path, SILENCE * 2, pause, |_| told += 1);
        assert!(matches!(refused, Err(LockError::Held(Some(_)))));
        assert_eq!(told, 1);
        // The one who is told of the wait gets the lock once the other lets go of it.
        let second = lock_within(&path, SILENCE * 30, pause, |_| drop(first)).unwrap();
        assert!(second.waited);
    }
}
