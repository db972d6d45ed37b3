//! pip, which unlike uv can tell the versions that an index has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tljh_machine::{Invocation, Output, Runner as _, SystemRunner, files};

use super::index::Index;
use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::manifest::site_packages;

const DEADLINE: Duration = Duration::from_secs(60);
/// What a package is about is not worth a longer wait.
const SUMMARY_DEADLINE: Duration = Duration::from_secs(30);

/// The environment's pip, else the one that tljh brings, on the environment's Python.
pub struct Pip {
    python: PathBuf,
    program: Vec<String>,
    // Nothing is left in /tmp, also when it is killed.
    scratch: tempfile::TempDir,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<String>,
}

impl Pip {
    /// For the environment at `environment`.
    ///
    /// # Errors
    /// It cannot be read, or has no pip while the bundle has none either.
    pub fn new(environment: &Path, bundle: &Bundle) -> Result<Self, UserEnvError> {
        let program = if site_packages(environment)?.join("pip/__main__.py").exists() {
            vec!["-m".into(), "pip".into()]
        } else {
            let wheels = files::list_folder(&bundle.wheels())?;
            let name = |wheel: &PathBuf| {
                wheel
                    .file_name()?
                    .to_str()?
                    .starts_with("pip-")
                    .then_some(())
            };
            let wheel = wheels.iter().find(|wheel| name(wheel).is_some());
            // Python runs what is in an archive.
            let path = wheel.map(|wheel| wheel.join("pip").display().to_string());
            vec![path.unwrap_or_default()]
        };
        Ok(Self {
            python: environment.join("bin/python"),
            program,
            scratch: tempfile::Builder::new()
                .prefix("tljh-search-")
                .tempdir()
                .map_err(|source| UserEnvError::Trial { source })?,
        })
    }

    /// The versions of `name`, newest first; none if the index does not have it.
    ///
    /// # Errors
    /// The index does not answer.
    pub fn versions(
        &self,
        index: &Index,
        name: &str,
        options: &[&str],
    ) -> Result<Option<Vec<String>>, UserEnvError> {
        let ask = |more: &[&str]| {
            let invocation = self
                .invocation(index, &["index", "versions", "--json"])
                .args(options)
                .args(more)
                .args(["--", name]);
            SystemRunner.output(&invocation)
        };
        let read = |output: &Output| {
            let line = output.stdout.lines().rfind(|line| line.starts_with('{'))?;
            let read: Versions = serde_json::from_str(line).ok()?;
            Some(read.versions)
        };
        if let Some(versions) = read(&ask(&[])?) {
            return Ok(Some(versions));
        }
        // There may be versions before the first release only; else we hear why there is none.
        let output = ask(&["--pre", "-vv"])?;
        match read(&output) {
            Some(versions) => Ok(Some(versions)),
            None => absence(&output).map(|()| None),
        }
    }

    /// What the newest version is about. No package is built or run for that.
    pub fn summary(&self, index: &Index, name: &str) -> Option<String> {
        let invocation = self
            .invocation(index, &["install", "--quiet", "--dry-run", "--no-deps"])
            .args(["--ignore-installed", "--only-binary=:all:", "--report=-"])
            .args(["--", name])
            .deadline(SUMMARY_DEADLINE);
        let output = SystemRunner.output(&invocation).ok()?;
        let report: Value = serde_json::from_str(&output.stdout).ok()?;
        let summary = report.pointer("/install/0/metadata/summary")?.as_str()?;
        Some(summary.to_string()).filter(|summary| !summary.is_empty())
    }

    fn invocation(&self, index: &Index, arguments: &[&str]) -> Invocation {
        let scratch = self.scratch.path();
        let url = index.url.as_ref();
        Invocation::new(&self.python)
            .arg("-I")
            .args(&self.program)
            .args(arguments)
            .args(["--no-cache-dir", "--no-input", "--no-color"])
            .args(["--disable-pip-version-check", "--timeout=15", "--retries=1"])
            // Which index it is uv knows. Addresses may hold passwords, so they are no arguments.
            .env("PIP_CONFIG_FILE", "/dev/null")
            .env("PIP_INDEX_URL", url.map_or("", |url| url.expose()))
            .env("PIP_EXTRA_INDEX_URL", "")
            .env("PIP_FIND_LINKS", index.find_links.expose())
            .env("PIP_NO_INDEX", if url.is_none() { "1" } else { "" })
            .env("TMPDIR", scratch)
            .deadline(DEADLINE)
    }
}

/// Whether pip found no package because there is none.
fn absence(output: &Output) -> Result<(), UserEnvError> {
    let printed = || output.stdout.lines().chain(output.stderr.lines());
    let failure = printed()
        .map(str::trim)
        .filter(|line| line.starts_with("Could not fetch URL "))
        .find(|line| !line.contains(": 404 "));
    let message = |line: &str| line.trim_end_matches(" - skipping").to_string();
    if let Some(line) = failure {
        return Err(UserEnvError::Unreachable {
            message: message(line),
        });
    }
    if printed().any(|line| line.contains("No matching distribution found")) {
        return Ok(());
    }
    let last = output.stderr.lines().last().unwrap_or_default();
    Err(UserEnvError::NoPython {
        message: last.into(),
    })
}
