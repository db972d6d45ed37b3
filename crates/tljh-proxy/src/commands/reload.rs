//! `tljh-proxy reload`

use std::env;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::Folders;
use crate::error::Error;
use crate::handover::{Control, SERVING, addresses};

/// How long a new process may take until it serves. It reads its routes and answers; more than a moment is a machine under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a new process, and waits until it serves in the place of the running one.
pub fn run(folders: &Folders) -> Result<(), Error> {
    let runtime_dir = folders.runtime_dir.as_deref().unwrap_or("".as_ref());
    let path = Control::path(runtime_dir);
    match addresses(runtime_dir) {
        Ok(addresses) if !addresses.is_empty() => {}
        Ok(_) => {
            let source = io::ErrorKind::NotFound.into();
            return Err(Error::NotRunning { path, source });
        }
        Err(source) => return Err(Error::NotRunning { path, source }),
    }
    let mut started =
        start(folders.state_dir()?, runtime_dir).map_err(|source| Error::Spawn { source })?;
    // setsid(1) ends at once.
    let said = started.stdout.take().map(says_serving);
    let _ = started.wait();
    match said {
        Some(Ok(true)) => Ok(()),
        Some(Err(source)) => Err(Error::Spawn { source }),
        _ => Err(Error::NoSuccessor {
            seconds: PATIENCE.as_secs(),
        }),
    }
}

/// Starts the process apart from this one, so that systemd is its parent when it becomes the service's main process.
fn start(state_dir: &Path, runtime_dir: &Path) -> io::Result<Child> {
    Command::new("setsid")
        .arg("--fork")
        .arg(env::current_exe()?)
        .args(["run", "--take-over", "--state-dir"])
        .arg(state_dir)
        .arg("--runtime-dir")
        .arg(runtime_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
}

/// Whether the process says in time that it serves.
fn says_serving(mut output: ChildStdout) -> io::Result<bool> {
    let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    let mut said = [0; SERVING.len()];
    if poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&patience))? == 0 {
        return Ok(false);
    }
    Ok(output.read_exact(&mut said).is_ok() && said == SERVING)
}
