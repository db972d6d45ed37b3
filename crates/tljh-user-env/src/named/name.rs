//! What a named environment and its kernel may be called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LONGEST: usize = 64;
const LONGEST_TITLE: usize = 80;

/// The name of an environment and of its kernel: what Jupyter allows in a kernel's name, and a file's name everywhere.
///
/// Jupyter tells kernels apart without regard to upper and lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvironmentName(String);

/// What JupyterLab calls a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Title(String);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Letters of other alphabets, blanks, slashes, or nothing at all.
    #[error("an environment's name has letters from a to z, digits, `.`, `_` and `-` only")]
    Characters,
    /// It would be taken for an option, or be hidden.
    #[error("an environment's name begins with a letter, a digit or `_`")]
    Beginning,
    /// It is too long.
    #[error("an environment's name has at most {LONGEST} characters")]
    Length,
    /// What people are to read has line ends, is empty or goes on and on.
    #[error("what a kernel is called has 1 to {LONGEST_TITLE} characters on one line")]
    Title,
}

impl EnvironmentName {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As Jupyter compares it.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || !text.chars().all(is_allowed) {
            return Err(NameError::Characters);
        }
        if text.starts_with(['.', '-']) {
            return Err(NameError::Beginning);
        }
        if text.len() > LONGEST {
            return Err(NameError::Length);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Title {
    /// As people read it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&EnvironmentName> for Title {
    fn from(name: &EnvironmentName) -> Self {
        Self(name.0.clone())
    }
}

impl FromStr for Title {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > LONGEST_TITLE || text.chars().any(char::is_control) {
            return Err(NameError::Title);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_jupyter_and_file_systems_allow() {
        let parse = |text: &str| text.parse::<EnvironmentName>();
        for text in ["stats", "R_4.3", "a", "3d", "_x", "a..b", &"x".repeat(64)] {
            assert_eq!(parse(text).unwrap().as_str(), text);
        }
        assert_eq!(parse("Stats").unwrap().folded(), "stats");
        for text in [
            "", " ", "a b", "a/b", "../x", "/x", "ünï", "a\n", "a\0", "~x", "a:b", "$x",
        ] {
            assert_eq!(parse(text), Err(NameError::Characters), "{text:?}");
        }
        for text in [".", "..", ".x", "-x", "--env"] {
            assert_eq!(parse(text), Err(NameError::Beginning), "{text:?}");
        }
        assert_eq!(parse(&"x".repeat(65)), Err(NameError::Length));
    }

    #[test]
    fn titles_are_one_line() {
        assert_eq!(" Kurs Ä ".parse::<Title>().unwrap().as_str(), "Kurs Ä");
        for text in ["", "  ", "a\nb", "a\u{1b}[31m", &"x".repeat(81)] {
            assert_eq!(text.parse::<Title>(), Err(NameError::Title), "{text:?}");
        }
    }
}
