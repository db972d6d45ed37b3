//! What may be asked for by name on the command line.

use std::fmt;
use std::str::FromStr;

use crate::manifest::normalize;

/// A requirement of PEP 508 without a URL: a name, and perhaps extras, versions and a marker.
///
/// Options and paths are no requirements: `--index-url` would let a name fetch from elsewhere, and a path would be
/// read as root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    text: String,
    name: String,
}

/// Why a text is no requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// It begins with a hyphen.
    #[error("`{0}` is an option, not the name of a package")]
    Option(String),
    /// It holds a slash, or begins with a point.
    #[error("`{0}` is a path, not the name of a package")]
    Path(String),
    /// It names an address.
    #[error("`{0}` is an address, not the name of a package")]
    Address(String),
    /// It is nothing that the standard knows.
    #[error(
        "`{0}` is not the name of a package with or without versions, such as `pandas` or `pandas>=2`"
    )]
    Malformed(String),
}

impl Requirement {
    /// The package's name as normalised by PEP 503.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a name alone.
    pub fn is_name(&self) -> bool {
        normalize(&self.text) == self.name
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = || text.to_string();
        if text.starts_with('-') {
            return Err(RequirementError::Option(whole()));
        }
        if text.contains("://") || text.contains('@') {
            return Err(RequirementError::Address(whole()));
        }
        if text.contains(['/', '\\']) || text.starts_with(['.', '~']) {
            return Err(RequirementError::Path(whole()));
        }
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let is_name = alphanumeric(name.chars().next()) && alphanumeric(name.chars().last());
        // uv reads the rest; it may go on with extras, versions or a marker, on one line.
        let goes_on = rest
            .trim_start()
            .chars()
            .next()
            .is_none_or(|c| "[<>=!~;(".contains(c));
        if !is_name || !goes_on || text.chars().any(char::is_control) {
            return Err(RequirementError::Malformed(whole()));
        }
        Ok(Self {
            text: whole(),
            name: normalize(name),
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_extras_versions_and_markers_are_requirements() {
        for (text, name) in [
            ("pandas", "pandas"),
            ("Scikit_Learn>=1.4,<2", "scikit-learn"),
            ("dask[array, dataframe]~=2024.1", "dask"),
            ("a.b == 1.0 ; python_version < '3.12'", "a-b"),
        ] {
            let read: Requirement = text.parse().unwrap();
            assert_eq!((read.name(), read.to_string().as_str()), (name, text));
        }
        assert!("Scikit_Learn".parse::<Requirement>().unwrap().is_name());
        assert!(!"a>1".parse::<Requirement>().unwrap().is_name());
    }

    #[test]
    fn options_paths_and_addresses_are_refused() {
        for text in ["--index-url", "-r", "-e", "--"] {
            assert_eq!(
                text.parse::<Requirement>(),
                Err(RequirementError::Option(text.into()))
            );
        }
        for text in ["/x", "../x", "./x", ".", "a/b", "~/x", "x\\y"] {
            assert_eq!(
                text.parse::<Requirement>(),
                Err(RequirementError::Path(text.into()))
            );
        }
        for text in ["https://x/y.whl", "a @ file:///x", "git+ssh://a@b", "a@b"] {
            assert_eq!(
                text.parse::<Requirement>(),
                Err(RequirementError::Address(text.into()))
            );
        }
        for text in [
            "", " ", "a b", "a --x", "a\n-r x", "_a", "a-", "ünï", "a#b", "a==1\0",
        ] {
            assert_eq!(
                text.parse::<Requirement>(),
                Err(RequirementError::Malformed(text.into()))
            );
        }
    }
}
