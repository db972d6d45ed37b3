//! `tljh-conda`, asked to solve, to link and to search.
//!
//! It reads one JSON request and prints one JSON answer (see its crate). Requests go through standard input: addresses
//! of channels are nobody else's business.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tljh_machine::{CommandError, Invocation, Runner};
use tljh_terminal::Secret;

use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::interrupt;
use crate::manifest::Difference;

/// A slow line and packages of gigabytes.
const DEADLINE: Duration = Duration::from_secs(3600);
/// Where packages come from if nobody says otherwise.
const DEFAULT_CHANNEL: &str = "conda-forge";

/// The `tljh-conda` of the package.
pub struct Conda<'a> {
    runner: &'a dyn Runner,
    program: PathBuf,
    cache: PathBuf,
    channels: Vec<String>,
}

/// What is wanted of an environment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Question {
    /// The environment; none for a new one.
    pub prefix: Option<PathBuf>,
    /// Specifications of packages that are wanted.
    pub install: Vec<String>,
    /// Names of packages that are to go.
    pub remove: Vec<String>,
    /// Names of packages that may move to their newest versions.
    pub update: Vec<String>,
    /// Whether all may.
    pub update_all: bool,
    /// What was wanted earlier and goes on holding.
    pub keep: Vec<String>,
    /// What holds for packages if they are there.
    pub constrain: Vec<String>,
}

/// What an environment is to hold.
#[derive(Debug, Clone, Deserialize)]
pub struct Solution {
    /// What leads there.
    pub steps: Vec<Difference>,
    /// conda's records of all packages, for [`Conda::link`].
    pub packages: Vec<Value>,
    /// Bytes that are to be fetched.
    #[serde(default)]
    pub download: u64,
    /// Bytes of the archives of what changes, in the cache or not.
    #[serde(default)]
    pub size: u64,
}

impl Solution {
    /// Bytes that have to be free: unpacked, packages are about four times as large.
    pub fn room(&self) -> u64 {
        self.download + 4 * self.size
    }

    /// The names of the packages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.packages
            .iter()
            .filter_map(|package| package.get("name")?.as_str())
    }
}

/// A package that a channel has.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Which of its builds.
    pub build: String,
    /// Whose.
    pub channel: String,
    /// What it is.
    #[serde(default)]
    pub summary: Option<String>,
}

#[derive(Deserialize)]
struct Offers {
    packages: Vec<Offer>,
}

/// Nothing that we need to know beyond that it was done.
#[derive(Deserialize)]
struct Linked {}

#[derive(Deserialize)]
struct Failure {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    kind: String,
    message: String,
    #[serde(default)]
    names: Vec<String>,
}

impl<'a> Conda<'a> {
    /// The program of `bundle`, with what it fetched before in `cache`; no `channels` stand for conda-forge.
    pub fn new(
        runner: &'a dyn Runner,
        bundle: &Bundle,
        cache: PathBuf,
        channels: Vec<String>,
    ) -> Self {
        let channels = if channels.is_empty() {
            vec![DEFAULT_CHANNEL.into()]
        } else {
            channels
        };
        Self {
            runner,
            program: bundle.conda(),
            cache,
            channels,
        }
    }

    /// Which packages answer `question`.
    ///
    /// # Errors
    /// They cannot be had, or do not fit together.
    pub fn solve(&self, question: &Question) -> Result<Solution, UserEnvError> {
        self.ask("solve", question)
    }

    /// Has the environment at `prefix`, which everybody knows as `known`, hold `packages` and none else of conda's. Of
    /// them, `asked_for` are noted for the real conda, which removes what nobody asked for.
    ///
    /// # Errors
    /// One cannot be fetched, or not be written; the environment then holds a part.
    pub fn link(
        &self,
        prefix: &Path,
        known: &Path,
        packages: &[Value],
        asked_for: &[String],
    ) -> Result<(), UserEnvError> {
        #[derive(Serialize)]
        struct Link<'a> {
            prefix: &'a Path,
            target_prefix: &'a Path,
            packages: &'a [Value],
            specs: &'a [String],
        }
        let wanted = Link {
            prefix,
            target_prefix: known,
            packages,
            specs: asked_for,
        };
        self.ask("link", &wanted).map(|Linked {}| ())
    }

    /// The packages of exactly these names, all versions, newest first.
    ///
    /// # Errors
    /// A channel cannot be read.
    pub fn versions(&self, names: &[String]) -> Result<Vec<Offer>, UserEnvError> {
        #[derive(Serialize)]
        struct Names<'a> {
            names: &'a [String],
        }
        self.ask("search", &Names { names })
            .map(|Offers { packages }| packages)
    }

    /// The newest of each package whose name fits `pattern`; of one name, all versions.
    ///
    /// # Errors
    /// A channel cannot be read, or has nothing of the kind.
    pub fn search(&self, pattern: &str) -> Result<Vec<Offer>, UserEnvError> {
        #[derive(Serialize)]
        struct Pattern<'a> {
            pattern: &'a str,
        }
        self.ask("search", &Pattern { pattern })
            .map(|Offers { packages }| packages)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        verb: &str,
        question: &impl Serialize,
    ) -> Result<T, UserEnvError> {
        #[derive(Serialize)]
        struct Request<'a, Q> {
            channels: &'a [String],
            cache: &'a Path,
            #[serde(flatten)]
            question: Q,
        }
        let request = serde_json::to_string(&Request {
            channels: &self.channels,
            cache: &self.cache,
            question,
        });
        let odd = |source: serde_json::Error| UserEnvError::Answer {
            program: self.program.clone(),
            source,
        };
        // It ends with us, also when we are killed: the next who comes may give its generation's number to another one.
        let invocation = Invocation::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .arg(verb)
            .input(Secret::new(request.map_err(odd)?))
            .deadline(DEADLINE);
        let wanted = &mut |_: &str| !interrupt::is_asked();
        let output = self.runner.watch(&invocation, wanted)?;
        if output.code == Some(0) {
            return serde_json::from_str(&output.stdout).map_err(odd);
        }
        Err(match serde_json::from_str::<Failure>(&output.stdout) {
            Ok(failure) => refusal(failure.error),
            Err(_) => CommandError::Failed {
                line: invocation.line(),
                code: output.code,
                message: output.stderr.trim().to_string(),
            }
            .into(),
        })
    }
}

/// The answer as one of our errors, sorted by what helps.
fn refusal(problem: Problem) -> UserEnvError {
    let Problem {
        kind,
        message,
        names,
    } = problem;
    match kind.as_str() {
        "unknown" => UserEnvError::NotInChannels { message, names },
        "conflict" => UserEnvError::Conflict { message },
        "network" => UserEnvError::Unreachable { message },
        "channel" => UserEnvError::Channel { message },
        "hash" => UserEnvError::HashMismatch { message },
        "space" => UserEnvError::DiskFull { message },
        _ => UserEnvError::Refused { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_words_and_names() {
        let text = r#"{"error": {"kind": "unknown", "message": "no gdall", "names": ["gdall"]}}"#;
        let failure: Failure = serde_json::from_str(text).unwrap();
        let error = refusal(failure.error);
        assert!(matches!(&error, UserEnvError::NotInChannels { names, .. } if names == &["gdall"]));
        assert!(error.to_string().contains("no gdall"));
    }
}
