//! uv, asked to plan and to make changes of an environment.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use tljh_machine::{CommandError, Invocation, Output, Runner, files};
use tljh_terminal::Secret;

use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::manifest::Difference;

/// A slow line and a package of gigabytes.
const DEADLINE: Duration = Duration::from_secs(3600);

/// The uv of the package.
#[derive(Clone)]
pub struct Uv<'a> {
    runner: &'a dyn Runner,
    program: PathBuf,
    cache: PathBuf,
}

impl<'a> Uv<'a> {
    /// The uv of `bundle`, with what it fetched before in `cache`.
    pub fn new(runner: &'a dyn Runner, bundle: &Bundle, cache: PathBuf) -> Self {
        Self {
            runner,
            program: bundle.uv(),
            cache,
        }
    }

    /// `uv ARGUMENTS` with this package's settings.
    pub fn invocation(&self, arguments: &[&str]) -> Invocation {
        // Where the command is given, others may have left a configuration.
        self.invocation_in(Path::new("/"), arguments)
    }

    fn invocation_in(&self, folder: &Path, arguments: &[&str]) -> Invocation {
        // It ends with us, also when we are killed: the next who comes may give its generation's number to another one.
        Invocation::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .arg("--directory")
            .arg(folder)
            .args(arguments)
            .env("UV_CACHE_DIR", &self.cache)
            .env("UV_LINK_MODE", "hardlink")
            .env("UV_PYTHON_DOWNLOADS", "never")
            // Those of the machine: a school may have a certificate authority of its own.
            .env("UV_SYSTEM_CERTS", "1")
            .env("UV_NO_PROGRESS", "1")
            .env("NO_COLOR", "1")
            .deadline(DEADLINE)
    }

    /// Runs `pip VERB ARGUMENTS` on the environment at `environment`, with relative paths below `folder`; uv's report.
    ///
    /// # Errors
    /// uv refused, in words that say what to do.
    pub fn pip(
        &self,
        environment: &Path,
        folder: &Path,
        verb: &[&str],
        arguments: &[String],
    ) -> Result<String, UserEnvError> {
        self.pip_watched(environment, folder, verb, arguments, &mut |_| true)
    }

    /// As [`Uv::pip`]; `look` sees again and again what uv reported so far, and ends it by `false`.
    ///
    /// # Errors
    /// As [`Uv::pip`].
    pub fn pip_watched(
        &self,
        environment: &Path,
        folder: &Path,
        verb: &[&str],
        arguments: &[String],
        look: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, UserEnvError> {
        let invocation = self
            .invocation_in(folder, &["pip"])
            .args(verb)
            .args(on(environment))
            .args(arguments);
        let output = self.cleaned(environment, self.runner.watch(&invocation, look))?;
        if output.code == Some(0) {
            return Ok(output.stderr);
        }
        Err(refusal(&output))
    }

    /// The lines of `requirements`, each with the hashes of the archives that the index has of it.
    ///
    /// # Errors
    /// The index does not have one of them, or cannot be reached.
    pub fn lock(&self, environment: &Path, requirements: &str) -> Result<String, UserEnvError> {
        let invocation = self
            .invocation(&[
                "pip",
                "compile",
                "--quiet",
                "--no-deps",
                "--generate-hashes",
            ])
            .args(["--no-header", "--no-annotate", "-"])
            .args(on(environment))
            .input(Secret::new(requirements));
        let output = self.cleaned(environment, self.runner.output(&invocation))?;
        if output.code == Some(0) {
            return Ok(output.stdout);
        }
        Err(refusal(&output))
    }

    /// Runs a `pip` command that tells something and changes nothing; what it prints.
    ///
    /// # Errors
    /// uv refused.
    pub fn tell(
        &self,
        environment: &Path,
        deadline: Duration,
        arguments: impl FnOnce(Invocation) -> Invocation,
    ) -> Result<String, UserEnvError> {
        let invocation = arguments(self.invocation(&["pip"]))
            .args(on(environment))
            .deadline(deadline);
        let output = self.cleaned(environment, self.runner.output(&invocation))?;
        if output.code == Some(0) {
            return Ok(output.stdout);
        }
        Err(refusal(&output))
    }

    /// The requirements of installed packages that are not met, a sentence each.
    ///
    /// # Errors
    /// The environment's Python does not run.
    pub fn conflicts(&self, environment: &Path) -> Result<Vec<String>, UserEnvError> {
        // What uv remembers of an interpreter may no longer be so.
        let invocation = self
            .invocation(&["pip", "check"])
            .args(on(environment))
            .env("UV_NO_CACHE", "1");
        let output = self.cleaned(environment, self.runner.output(&invocation))?;
        let found: Vec<String> = output
            .stderr
            .lines()
            .filter(|line| line.starts_with("The package "))
            .map(|line| line.trim().to_string())
            .collect();
        if output.code == Some(0) || !found.is_empty() {
            return Ok(found);
        }
        Err(CommandError::Failed {
            line: invocation.line(),
            code: output.code,
            message: output.stderr.trim().to_string(),
        }
        .into())
    }

    /// Runs what is not about one environment, or was made by hand.
    ///
    /// # Errors
    /// uv refused, in words that say what to do.
    pub fn run(&self, invocation: &Invocation) -> Result<String, UserEnvError> {
        let output = self.runner.output(invocation)?;
        if output.code == Some(0) {
            return Ok(output.stderr);
        }
        Err(refusal(&output))
    }

    fn cleaned(
        &self,
        environment: &Path,
        output: Result<Output, CommandError>,
    ) -> Result<Output, UserEnvError> {
        // Everybody may write to this lock, and so keep others out. Without root there is none of ours.
        let _ = files::ensure_absent(&environment.join(".lock"));
        Ok(output?)
    }
}

/// Which environment is meant.
pub fn on(environment: &Path) -> [PathBuf; 2] {
    ["--python".into(), environment.join("bin/python")]
}

/// Requirements or constraints as a file that uv reads, a line each; it goes with the answer.
///
/// # Errors
/// There is no room for temporary files.
pub fn write_lines(lines: &[String]) -> Result<NamedTempFile, UserEnvError> {
    let failed = |source| UserEnvError::Trial { source };
    let mut file = tempfile::Builder::new()
        .prefix("tljh-requirements-")
        .suffix(".txt")
        .tempfile()
        .map_err(failed)?;
    file.write_all(lines.join("\n").as_bytes())
        .map_err(failed)?;
    Ok(file)
}

/// Reads uv's report of a change: ` + name==version` comes, ` - name==version` goes, ` ~ ` comes anew.
pub fn read_steps(report: &str) -> Vec<Difference> {
    let mut steps: Vec<Difference> = Vec::new();
    for line in report.lines() {
        let Some((sign, rest)) = line.strip_prefix(' ').and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        let Some((name, version)) = rest.split_once("==").or_else(|| rest.split_once(" @ ")) else {
            continue;
        };
        let version = version.split(' ').next().map(str::to_string);
        let at = steps
            .iter()
            .position(|step| step.name == name)
            .unwrap_or_else(|| {
                steps.push(Difference {
                    name: name.to_string(),
                    before: None,
                    after: None,
                });
                steps.len() - 1
            });
        match sign {
            "+" => steps[at].after = version,
            "-" => steps[at].before = version,
            "~" => (steps[at].before, steps[at].after) = (version.clone(), version),
            _ => {}
        }
    }
    steps.retain(|step| step.before.is_some() || step.after.is_some());
    steps
}

/// uv's answer as one sentence, sorted by what helps.
fn refusal(output: &Output) -> UserEnvError {
    let message = shorten(&output.stderr);
    let says = |words: &[&str]| words.iter().any(|word| output.stderr.contains(word));
    if says(&["No space left on device", "Disk quota exceeded"]) {
        UserEnvError::DiskFull { message }
    } else if says(&["Hash mismatch", "hash mismatch"]) {
        UserEnvError::HashMismatch { message }
    } else if says(&[
        "error sending request",
        "dns error",
        "Failed to fetch",
        "Could not connect",
        "Failed to download",
        "error decoding response body",
        "network connectivity is disabled",
    ]) {
        UserEnvError::Unreachable { message }
    } else if says(&["was not found in the", "not found in the package registry"]) {
        UserEnvError::UnknownPackage { message }
    } else if says(&[
        "Failed to inspect Python",
        "No virtual environment or system Python",
        "Querying Python",
        "No interpreter found",
    ]) {
        // What uv would have people do is not what helps here.
        let message = message.split("; run `uv").next().unwrap_or_default().into();
        UserEnvError::NoPython { message }
    } else if says(&["No solution found"]) {
        UserEnvError::Conflict { message }
    } else {
        UserEnvError::Refused { message }
    }
}

/// What uv says, a piece for each of its causes, without its drawings, headings and hints.
fn pieces(stderr: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in stderr.lines() {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "×╰─▶├│".contains(c));
        if line.starts_with("hint:") {
            break;
        }
        let skipped = [
            "No solution found when resolving",
            "Using Python ",
            "Resolved ",
            "Prepared ",
            "Downloading ",
            "Downloaded ",
            "Building ",
            "Built ",
            "Uninstalled ",
            "Installed ",
        ];
        if line.is_empty() || skipped.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let begins = ["error: ", "Caused by: ", "cause: "];
        match begins.iter().find_map(|begin| line.strip_prefix(begin)) {
            Some(piece) => pieces.push(piece.to_string()),
            None => match pieces.last_mut() {
                Some(piece) => *piece = format!("{piece} {line}"),
                None => pieces.push(line.to_string()),
            },
        }
    }
    pieces
}

/// What happened, and the cause of all causes.
fn shorten(stderr: &str) -> String {
    let mut pieces = pieces(stderr);
    if pieces.len() > 2 {
        pieces.drain(1..pieces.len() - 1);
    }
    pieces.join(": ").trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_comes_goes_and_changes() {
        let report = "Resolved 3 packages in 1ms\nWould install 2 packages\n - a==1\n + a==2\n + b==1.0 (from file:///b)\n ~ c==3\n - d==4\n";
        let lines: Vec<_> = read_steps(report)
            .into_iter()
            .map(|step| (step.name, step.before, step.after))
            .collect();
        let text = |version: &str| Some(version.to_string());
        assert_eq!(
            lines,
            [
                ("a".to_string(), text("1"), text("2")),
                ("b".to_string(), None, text("1.0")),
                ("c".to_string(), text("3"), text("3")),
                ("d".to_string(), text("4"), None),
            ]
        );
    }

    #[test]
    fn a_refusal_becomes_one_sentence_of_its_kind() {
        let refused = |stderr: &str| {
            refusal(&Output {
                code: Some(1),
                stderr: stderr.into(),
                ..Output::default()
            })
        };
        let unknown = "  × No solution found when resolving dependencies:\n  ╰─▶ Because nonsense was not found in the package registry and you require\n      nonsense, we can conclude that your requirements are unsatisfiable.\n\n      hint: try this\n";
        let error = refused(unknown);
        assert!(matches!(error, UserEnvError::UnknownPackage { .. }));
        assert!(error.to_string().ends_with(
            "Because nonsense was not found in the package registry and you require nonsense, we can conclude that your requirements are unsatisfiable"
        ), "{error}");
        let network = "error: Request failed after 3 retries\n  Caused by: Failed to fetch: `http://x/`\n  Caused by: error sending request\n";
        assert!(matches!(refused(network), UserEnvError::Unreachable { .. }));
        let hash = "  × Failed to download `a==1`\n  ╰─▶ Hash mismatch for `a==1`\n";
        assert!(matches!(refused(hash), UserEnvError::HashMismatch { .. }));
        assert!(matches!(
            refused("error: something else"),
            UserEnvError::Refused { .. }
        ));
    }
}
