//! The Pythons that a machine has.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::python::{minor_of, system_python};

/// Where Debian's are, and where administrators install others.
const PLACES: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// A version of Python as packages are made for it: `3.12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    minor: u8,
}

/// A text is no such version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version of Python is `3.` and a number, such as `3.12`")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minor = text.strip_prefix("3.").ok_or(VersionError)?;
        if minor.is_empty() || !minor.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(VersionError);
        }
        let minor = minor.parse().map_err(|_| VersionError)?;
        Ok(Self { minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "3.{}", self.minor)
    }
}

impl Version {
    /// The one that packages of this full version, such as `3.12.4`, are made for.
    pub fn of(full: &str) -> Option<Self> {
        let mut parts = full.splitn(3, '.');
        format!("{}.{}", parts.next()?, parts.next()?).parse().ok()
    }

    /// That of the suite's own Python, for which the bundled wheels are made.
    pub fn own() -> Option<Self> {
        let minor = minor_of(&system_python())?.try_into().ok()?;
        Some(Self { minor })
    }

    /// The program of this version that the machine has.
    pub fn find(self) -> Option<PathBuf> {
        let names = PLACES
            .iter()
            .map(|place| Path::new(place).join(format!("python{self}")));
        names.into_iter().find(|path| {
            path.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_that_packages_are_made_for() {
        let parse = |text: &str| text.parse::<Version>().map(|version| version.to_string());
        assert_eq!(parse("3.12").as_deref(), Ok("3.12"));
        for text in [
            "",
            "3",
            "3.",
            "2.7",
            "3.12.1",
            "3.+1",
            "3.x",
            "/usr/bin/python3",
            "3.999",
        ] {
            assert_eq!(parse(text), Err(VersionError), "{text}");
        }
        assert_eq!(Version::of("3.11.2"), "3.11".parse().ok());
        assert_eq!(Version::of("nonsense"), None);
    }
}
