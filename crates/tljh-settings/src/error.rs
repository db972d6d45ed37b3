//! What can be wrong with a configuration, in words that name the key.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tljh_terminal::Hinted;

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// Dotted name, with `[N]` for an item of a list; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what is wanted, without the key.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            formatter.write_str(&self.what)
        } else {
            write!(formatter, "`{}` {}", self.key, self.what)
        }
    }
}

/// A key that no part of this distribution reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Dotted name.
    pub key: String,
    /// The known key that is spelled most like it, if any is close.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown key `{}`", self.key)?;
        match &self.nearest {
            Some(nearest) => write!(formatter, ", did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Reading or checking a configuration failed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file exists and cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is not YAML, or uses YAML that has no place in a configuration.
    #[error("{} is not valid YAML: {what}", named(path.as_ref()))]
    Syntax {
        /// The file, if the text came from one.
        path: Option<PathBuf>,
        /// The parser's words, with line and column where it knows them.
        what: String,
    },
    /// One or more values cannot be used.
    #[error("{} has {}", named(path.as_ref()), listed(problems))]
    Invalid {
        /// The file, if the text came from one.
        path: Option<PathBuf>,
        /// All of them; at least one.
        problems: Vec<Problem>,
    },
}

impl SettingsError {
    /// The same error, naming the file that the text came from.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        match &mut self {
            Self::Read { .. } => {}
            Self::Syntax { path, .. } | Self::Invalid { path, .. } => {
                *path = Some(file.to_path_buf())
            }
        }
        self
    }
}

impl Hinted for SettingsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::Syntax { path, .. } => Some(correct(path.as_deref())),
            Self::Invalid { path, problems } => {
                let key = problems.first().map_or("", |problem| problem.key.as_str());
                // To unset a whole list for one wrong item would lose the others.
                Some(if key.is_empty() || key.contains('[') {
                    correct(path.as_deref())
                } else {
                    format!("go back to the default: `sudo tljh-config unset {key}`")
                })
            }
        }
    }
}

/// The command with which people correct the file, where it is.
pub fn correct(path: Option<&Path>) -> String {
    match path.filter(|path| *path != Path::new(crate::CONFIG_PATH)) {
        None => "correct the file: `sudo tljh-config edit`".to_string(),
        Some(path) => format!(
            "correct the file: `tljh-config --config-path {} edit`",
            path.display()
        ),
    }
}

fn named(path: Option<&PathBuf>) -> String {
    path.map_or_else(
        || "the configuration".to_string(),
        |path| format!("`{}`", path.display()),
    )
}

fn listed(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let noun = if texts.len() == 1 {
        "a wrong value"
    } else {
        "wrong values"
    };
    format!("{noun}: {}", texts.join("; "))
}
