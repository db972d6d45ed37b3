//! What is installed, as files that people and programs exchange.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::error::UserEnvError;
use crate::manifest::{Package, conda, read_manifest};

/// The lines of a requirements.txt.
///
/// # Errors
/// The environment cannot be read.
pub fn requirements(environment: &Path) -> Result<String, UserEnvError> {
    let mut text = String::new();
    for package in read_manifest(environment)? {
        let _ = writeln!(text, "{}", requirement(&package));
    }
    Ok(text)
}

fn requirement(package: &Package) -> String {
    match &package.source {
        Some(source) => format!("{} @ {source}", package.name),
        None => format!("{}=={}", package.name, package.version),
    }
}

/// conda's environment.yml, as `conda env export` prints it: builds too, so that the same machine gets the same.
///
/// # Errors
/// The environment cannot be read.
pub fn environment_yml(environment: &Path) -> Result<String, UserEnvError> {
    let mut channels: Vec<String> = Vec::new();
    let mut dependencies = Vec::new();
    let mut pips = Vec::new();
    for package in read_manifest(environment)? {
        let Some(build) = &package.build else {
            pips.push(requirement(&package));
            continue;
        };
        channels.extend(package.source.clone());
        dependencies.push(json!(format!(
            "{}={}={build}",
            package.name, package.version
        )));
    }
    channels.sort();
    channels.dedup();
    if !pips.is_empty() {
        dependencies.push(json!({"pip": pips}));
    }
    let described = json!({"name": "base", "channels": channels, "dependencies": dependencies});
    serde_yaml::to_string(&described)
        .map_err(|error| UserEnvError::Print(std::io::Error::other(error)))
}

/// A list of archives, as `conda list --explicit --sha256` prints it. Packages of pip's are not in it.
///
/// # Errors
/// The environment cannot be read.
pub fn explicit(environment: &Path) -> Result<String, UserEnvError> {
    let mut text = String::from("# Install with: tljh-user-env apply -f FILE\n@EXPLICIT\n");
    for package in conda::installed(environment)? {
        let hash = package.sha256.or(package.md5);
        let _ = match hash {
            Some(hash) => writeln!(text, "{}#{hash}", package.url),
            None => writeln!(text, "{}", package.url),
        };
    }
    Ok(text)
}
