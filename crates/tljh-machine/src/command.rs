//! Child processes: fixed programs, arguments as a list, output captured, always with a deadline.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tljh_terminal::Secret;
use wait_timeout::ChildExt;

/// Deadline of a child process that was given none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
/// How often one looks at a process that is watched.
const LOOKS: Duration = Duration::from_millis(100);

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

    /// As [`Runner::output`]; meanwhile `look` is told again and again what was printed on standard error so far, and
    /// has the process killed by `false`. There is then no exit code.
    ///
    /// # Errors
    /// As [`Runner::output`].
    fn watch(
        &self,
        invocation: &Invocation,
        look: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Output, CommandError> {
        let _ = look;
        self.output(invocation)
    }

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
        run(invocation, &mut |child, _| {
            child.wait_timeout(invocation.deadline)
        })
    }

    fn watch(
        &self,
        invocation: &Invocation,
        look: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Output, CommandError> {
        let began = Instant::now();
        run(invocation, &mut |child, stderr| {
            loop {
                if let Some(status) = child.wait_timeout(LOOKS)? {
                    return Ok(Some(status));
                }
                if !look(&stderr.text()) {
                    child.kill()?;
                    return child.wait().map(Some);
                }
                if began.elapsed() >= invocation.deadline {
                    return Ok(None);
                }
            }
        })
    }
}

/// Runs a process with `wait`, which gives its status, or nothing once its deadline has passed.
fn run(
    invocation: &Invocation,
    wait: &mut dyn FnMut(&mut Child, &Printed) -> std::io::Result<Option<ExitStatus>>,
) -> Result<Output, CommandError> {
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
    let stdout = Printed::read(child.stdout.take());
    let stderr = Printed::read(child.stderr.take());
    let status = wait(&mut child, &stderr).map_err(failed)?;
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
        stdout: stdout.end(),
        stderr: stderr.end(),
    })
}

/// What a process prints, read while it runs.
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: std::thread::JoinHandle<()>,
}

impl Printed {
    fn read(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reading = std::thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut piece = [0; 16_384];
            loop {
                match pipe.read(&mut piece) {
                    Ok(0) => return,
                    Ok(length) => lock(&shared).extend_from_slice(&piece[..length]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Self { bytes, reading }
    }

    /// So far.
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    /// All of it.
    fn end(self) -> String {
        let Self { bytes, reading } = self;
        let _ = reading.join();
        String::from_utf8_lossy(&lock(&bytes)).into_owned()
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> std::sync::MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_watched_process_is_looked_at_while_it_prints_and_can_be_ended() {
        let script = "echo one >&2; read answer <fifo; echo two >&2; exec sleep 60";
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = script.replace("fifo", &fifo.display().to_string());
        let printing = Invocation::new("sh").args(["-c", &script]);
        let mut looks = Vec::new();
        let output = SystemRunner.watch(&printing, &mut |text| {
            // It goes on once the first line was seen.
            if text == "one\n" && !looks.contains(&text.to_string()) {
                std::fs::write(&fifo, "go on\n").unwrap();
            }
            looks.push(text.to_string());
            !text.contains("two")
        });
        let output = output.unwrap();
        assert_eq!((output.code, output.stderr.as_str()), (None, "one\ntwo\n"));
        let quick = SystemRunner.watch(&Invocation::new("true"), &mut |_| true);
        assert_eq!(quick.unwrap().code, Some(0));
        let hanging = Invocation::new("sleep").arg("60");
        let hanging = hanging.deadline(Duration::from_millis(50));
        let stopped = SystemRunner.watch(&hanging, &mut |_| true);
        assert!(matches!(stopped, Err(CommandError::Deadline { .. })));
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
