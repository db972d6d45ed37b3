//! A lock that is waited for: flock(2), which a killed holder releases.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::holder_of;

/// Why a lock was not had.
#[derive(Debug)]
pub enum LockError {
    /// The file cannot be opened or locked.
    Unusable(io::Error),
    /// Another program, which is named where it is known, held it until the deadline.
    Held(Option<String>),
}

/// Locks the file at `path`, which is made, mode 0600, if there is none. It is tried again after each `pause` until
/// `deadline` has passed; before each pause `waiting` is told of the file and of the time since the first try.
///
/// # Errors
/// Those of [`LockError`].
pub fn lock_within(
    path: &Path,
    deadline: Duration,
    pause: Duration,
    mut waiting: impl FnMut(&File, Duration),
) -> Result<Flock<File>, LockError> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(LockError::Unusable)?;
    let began = Instant::now();
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, error)) => return Err(LockError::Unusable(error.into())),
        };
        if began.elapsed() >= deadline {
            return Err(LockError::Held(holder_of(&file)));
        }
        waiting(&file, began.elapsed());
        std::thread::sleep(pause);
    }
}
