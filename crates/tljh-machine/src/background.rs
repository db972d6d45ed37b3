//! A child process that runs beside us for a while, and ends with us.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::command::{CommandError, Invocation, SystemRunner};

/// A process with all that it starts, killed when this is dropped.
#[derive(Debug)]
pub struct Background {
    child: Child,
}

impl SystemRunner {
    /// Starts a process in a process group of its own; what it prints goes to `output`. Its deadline is the caller's
    /// business, and it gets no input.
    ///
    /// # Errors
    /// It could not be started.
    pub fn begin(
        &self,
        invocation: &Invocation,
        output: &File,
    ) -> Result<Background, CommandError> {
        log::debug!("starting `{}`", invocation.line());
        let failed = |source| CommandError::Start {
            line: invocation.line(),
            source,
        };
        let stdout = output.try_clone().map_err(failed)?;
        let stderr = output.try_clone().map_err(failed)?;
        let child = Command::new(&invocation.program)
            .args(&invocation.arguments)
            .envs(invocation.environment.iter().cloned())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(Background { child })
    }
}

impl Background {
    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Its number is its own until it is waited for.
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::time::Duration;

    use super::*;
    use crate::wait_for;

    #[test]
    fn a_dropped_process_ends_with_its_children() {
        let mut output = tempfile::tempfile().unwrap();
        let script = Invocation::new("sh").args(["-c", "sleep 600 & echo $!; wait"]);
        let mut running = SystemRunner.begin(&script, &output).unwrap();
        let child = wait_for(Duration::from_secs(30), || {
            let mut text = String::new();
            output.rewind().unwrap();
            output.read_to_string(&mut text).unwrap();
            text.trim().parse::<i32>().ok()
        });
        let child = procfs::process::Process::new(child.unwrap()).unwrap();
        assert!(!running.has_ended());
        drop(running);
        let gone = || {
            let state = child.stat().map(|stat| stat.state);
            (!child.is_alive() || matches!(state, Ok('Z'))).then_some(())
        };
        assert_eq!(wait_for(Duration::from_secs(30), gone), Some(()));
    }
}
