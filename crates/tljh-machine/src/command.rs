//! Child processes: fixed programs, arguments as a list, output captured, always with a deadline.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use tljh_terminal::Secret;
use wait_timeout::ChildExt;

/// Deadline of a child process that was given none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// What to run. Arguments are passed as they are; no shell is involved.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    input: Option<Secret>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    deadline: Duration,
}

impl Invocation {
    /// Runs `program`, looked up in `PATH` unless it is a path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().into(),
            arguments: Vec::new(),
            input: None,
            environment: Vec::new(),
            deadline: DEFAULT_DEADLINE,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().into()),
        );
        self
    }

    /// Gives the process `input` on standard input; nothing by default.
    #[must_use]
    pub fn input(mut self, input: Secret) -> Self {
        self.input = Some(input);
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Kills the process after `deadline`.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Program and arguments as one line, for messages.
    pub fn line(&self) -> String {
        std::iter::once(&self.program)
            .chain(&self.arguments)
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What a process left behind.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

/// A child process did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("could not start `{line}`")]
    Start {
        /// Program and arguments.
        line: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was killed at its deadline.
    #[error("`{line}` did not finish within {seconds} s")]
    Deadline {
        /// Program and arguments.
        line: String,
        /// The deadline.
        seconds: u64,
    },
    /// It ended with another exit code than 0.
    #[error("`{line}` failed{}: {message}", code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Failed {
        /// Program and arguments.
        line: String,
        /// Its exit code; `None` after a signal.
        code: Option<i32>,
        /// The end of what it printed.
        message: String,
    },
}

/// Runs child processes; the one door through which other programs change the machine.
pub trait Runner {
    /// Runs to the end, whatever the exit code.
    ///
    /// # Errors
    /// It could not be started, or its deadline passed.
    fn output(&self, invocation: &Invocation) -> Result<Output, CommandError>;

    /// Runs to the end and wants exit code 0.
    ///
    /// # Errors
    /// As [`Runner::output`], and every other exit code.
    fn run(&self, invocation: &Invocation) -> Result<Output, CommandError> {
        let output = self.output(invocation)?;
        if output.code == Some(0) {
            return Ok(output);
        }
        let printed = if output.stderr.trim().is_empty() {
            &output.stdout
        } else {
            &output.stderr
        };
        Err(CommandError::Failed {
            line: invocation.line(),
            code: output.code,
            message: last_lines(printed, 5),
        })
    }
}

/// The last `count` lines of `text`, without white space around them.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The real machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRunner;

impl Runner for SystemRunner {
    fn output(&self, invocation: &Invocation) -> Result<Output, CommandError> {
        log::debug!("running `{}`", invocation.line());
        let failed = |source| CommandError::Start {
            line: invocation.line(),
            source,
        };
        let mut child = Command::new(&invocation.program)
            .args(&invocation.arguments)
            .envs(
                invocation
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .env("LC_ALL", "C.UTF-8")
            .stdin(if invocation.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let (Some(input), Some(mut pipe)) = (&invocation.input, child.stdin.take()) {
            // A child that does not read its input ends with an exit code that tells more.
            let _ = pipe.write_all(input.expose().as_bytes());
        }
        let stdout = read_in_background(child.stdout.take());
        let stderr = read_in_background(child.stderr.take());
        let status = child.wait_timeout(invocation.deadline).map_err(failed)?;
        let Some(status) = status else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(CommandError::Deadline {
                line: invocation.line(),
                seconds: invocation.deadline.as_secs(),
            });
        };
        Ok(Output {
            code: status.code(),
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
        })
    }
}

fn read_in_background(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_hangs_is_killed_at_its_deadline() {
        let hanging = Invocation::new("sleep")
            .arg("60")
            .deadline(Duration::from_millis(50));
        assert!(matches!(
            SystemRunner.run(&hanging),
            Err(CommandError::Deadline { .. })
        ));
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_printed() {
        let failing = Invocation::new("sh").args(["-c", "echo no space >&2; exit 3"]);
        let message = SystemRunner.run(&failing).unwrap_err().to_string();
        assert!(
            message.contains("exit code 3") && message.contains("no space"),
            "{message}"
        );
    }

    #[test]
    fn input_reaches_the_process_and_not_its_command_line() {
        let reading = Invocation::new("cat").input(Secret::new("hunter2"));
        assert_eq!(SystemRunner.run(&reading).unwrap().stdout, "hunter2");
        assert!(!format!("{reading:?}").contains("hunter2"));
    }
}
