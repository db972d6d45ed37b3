//! Files that describe an environment, and are not pip's: conda's environment.yml, and its lists of archives.

use std::path::Path;

use serde::Deserialize;
use tempfile::NamedTempFile;
use tljh_machine::files;

use crate::error::UserEnvError;
use crate::uv::write_lines;

/// What such a file asks for.
#[derive(Debug, Default)]
pub struct Content {
    /// Specifications of conda packages.
    pub specs: Vec<String>,
    /// Requirements of pip's, as a file of theirs.
    pub pip: Option<NamedTempFile>,
    /// Channels, the first first.
    pub channels: Vec<String>,
}

/// conda's environment.yml; `name`, `prefix` and `variables` mean nothing here.
#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependency {
    Spec(String),
    Pip { pip: Vec<String> },
}

/// The first line of a list of archives (`conda list --explicit`).
const EXPLICIT: &str = "@EXPLICIT";

enum Form {
    Yaml,
    Explicit,
    Requirements,
}

/// What the file at `path` asks for; none where it is one of pip's.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn read(path: &Path) -> Result<Option<Content>, UserEnvError> {
    let text = files::read(path)?;
    match form(path, &text) {
        Form::Yaml => read_yaml(path, &text).map(Some),
        Form::Explicit => read_explicit(path, &text).map(Some),
        Form::Requirements => Ok(None),
    }
}

/// For a virtual environment.
///
/// # Errors
/// The file is one of conda's.
pub fn refuse_condas(path: &Path) -> Result<(), UserEnvError> {
    let text = files::read(path)?;
    match form(path, &text) {
        Form::Requirements => Ok(()),
        _ => Err(UserEnvError::NotConda {
            what: format!("`{}`", path.display()),
        }),
    }
}

fn form(path: &Path, text: &str) -> Form {
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml");
    if is_yaml {
        Form::Yaml
    } else if text.lines().any(|line| line.trim() == EXPLICIT) {
        Form::Explicit
    } else {
        Form::Requirements
    }
}

fn read_yaml(path: &Path, text: &str) -> Result<Content, UserEnvError> {
    let damaged = |message: String| UserEnvError::CondaFile {
        path: path.to_path_buf(),
        message,
    };
    let value = tljh_settings::parse_yaml(text).map_err(|error| damaged(error.to_string()))?;
    let environment: Environment =
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    let mut content = Content {
        // conda's word for the channels of its own configuration.
        channels: environment
            .channels
            .into_iter()
            .filter(|channel| channel != "nodefaults" && channel != "defaults")
            .collect(),
        ..Content::default()
    };
    for dependency in environment.dependencies {
        match dependency {
            Dependency::Spec(spec) => content.specs.push(spec),
            Dependency::Pip { pip } => content.pip = Some(write_lines(&pip)?),
        }
    }
    Ok(content)
}

/// Lines `CHANNEL/PLATFORM/NAME-VERSION-BUILD.conda#HASH`: the very builds, with their hashes.
fn read_explicit(path: &Path, text: &str) -> Result<Content, UserEnvError> {
    let mut content = Content::default();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') || line == EXPLICIT {
            continue;
        }
        let (channel, spec) = archive(line).ok_or_else(|| UserEnvError::CondaFile {
            path: path.to_path_buf(),
            message: format!("`{line}` is no address of a package"),
        })?;
        if !content.channels.contains(&channel) {
            content.channels.push(channel);
        }
        content.specs.push(spec);
    }
    Ok(content)
}

/// The channel, and the specification that fits this one archive alone.
fn archive(line: &str) -> Option<(String, String)> {
    let (address, hash) = match line.split_once('#') {
        Some((address, hash)) => (address, Some(hash)),
        None => (line, None),
    };
    let mut parts = address.rsplitn(3, '/');
    let (file, _platform, channel) = (parts.next()?, parts.next()?, parts.next()?);
    let stem = file
        .strip_suffix(".conda")
        .or_else(|| file.strip_suffix(".tar.bz2"))?;
    let mut words = stem.rsplitn(3, '-');
    let (build, version, name) = (words.next()?, words.next()?, words.next()?);
    let hash = hash.map(|hash| hash.trim_start_matches("sha256:"));
    let hash = match hash {
        Some(hash) if hash.len() == 64 => format!(", sha256={hash}"),
        Some(hash) if hash.len() == 32 => format!(", md5={hash}"),
        Some(_) => return None,
        None => String::new(),
    };
    let spec = format!("{name}[version=\"=={version}\", build=\"{build}\"{hash}]");
    channel.contains("://").then(|| (channel.to_string(), spec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Result<Content, UserEnvError> {
        read_yaml(Path::new("environment.yml"), text)
    }

    #[test]
    fn an_environment_yml_is_channels_specifications_and_pips_lines() {
        let text = "name: class\nchannels: [conda-forge, nodefaults]\ndependencies:\n  - python=3.12\n  - gdal\n  - pip\n  - pip:\n    - 'a>=1'\n    - b\n";
        let content = yaml(text).unwrap();
        assert_eq!(content.channels, ["conda-forge"]);
        assert_eq!(content.specs, ["python=3.12", "gdal", "pip"]);
        let pip = std::fs::read_to_string(content.pip.unwrap().path()).unwrap();
        assert_eq!(pip, "a>=1\nb");
        assert!(matches!(
            yaml("dependencies: [{conda: x}]"),
            Err(UserEnvError::CondaFile { .. })
        ));
    }

    #[test]
    fn an_archive_of_a_list_is_one_build_with_its_hash() {
        let hash = "a".repeat(64);
        let line = format!("https://example.org/c/noarch/some-thing-1.0-py_0.conda#{hash}");
        assert_eq!(
            archive(&line).unwrap(),
            (
                "https://example.org/c".to_string(),
                format!("some-thing[version=\"==1.0\", build=\"py_0\", sha256={hash}]")
            )
        );
        for wrong in [
            "some-thing",
            "/noarch/a-1-0.conda",
            "https://x/noarch/a-1-0.whl",
            "https://x/noarch/a-1-0.conda#1",
        ] {
            assert_eq!(archive(wrong), None, "{wrong}");
        }
    }
}
