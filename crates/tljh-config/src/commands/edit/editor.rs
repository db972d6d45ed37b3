//! The user's editor.

use std::fs::OpenOptions;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGQUIT};
use signal_hook::flag::register_conditional_default;

use crate::error::Error;

/// Where the editor's command is looked up, in this order, as sudoedit(8) does.
const VARIABLES: [&str; 3] = ["SUDO_EDITOR", "VISUAL", "EDITOR"];
/// Where no variable is set: the user's choice (sensible-editor(1)), the system's (editor(1)), and what a small
/// system has.
const FALLBACKS: [&str; 4] = ["sensible-editor", "editor", "nano", "vi"];

/// An editor's command, and the rule that Ctrl-C in it is the editor's alone.
pub struct Editor {
    words: Vec<String>,
    /// Whether Ctrl-C ends this program.
    interruptible: Arc<AtomicBool>,
}

impl Editor {
    /// The editor that the environment names.
    pub fn choose() -> Result<Self, Error> {
        let interruptible = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGQUIT] {
            register_conditional_default(signal, Arc::clone(&interruptible))
                .map_err(Error::Signal)?;
        }
        let set =
            |variable: &&str| std::env::var(variable).is_ok_and(|value| !value.trim().is_empty());
        let Some(variable) = VARIABLES.into_iter().find(set) else {
            let installed = FALLBACKS.into_iter().find(|name| is_installed(name));
            return Ok(Self {
                words: vec![installed.unwrap_or(FALLBACKS[0]).to_string()],
                interruptible,
            });
        };
        let value = std::env::var(variable).unwrap_or_default();
        match shlex::split(&value).filter(|words| !words.is_empty()) {
            Some(words) => Ok(Self {
                words,
                interruptible,
            }),
            None => Err(Error::EditorWords { variable, value }),
        }
    }

    /// Runs the editor on `file` and waits for its end. No shell reads the file's name.
    pub fn edit(&self, file: &Path) -> Result<(), Error> {
        let editor = self.words.join(" ");
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(file);
        if !std::io::stdin().is_terminal() {
            // Standard input holds the answers to our questions.
            command.stdin(terminal().unwrap_or_else(Stdio::null));
        }
        if !std::io::stdout().is_terminal()
            && let Some(terminal) = terminal()
        {
            command.stdout(terminal);
        }
        self.interruptible.store(false, Ordering::SeqCst);
        let status = command.status();
        self.interruptible.store(true, Ordering::SeqCst);
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::EditorFailed { editor, status }),
            Err(source) => Err(Error::EditorMissing { editor, source }),
        }
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The terminal that the user sits at, if there is one.
fn terminal() -> Option<Stdio> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    terminal.ok().map(Stdio::from)
}
