//! What of a generation is the bundle's: a package upgrade moves that, and nothing of what administrators made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::manifest::Package;
use crate::record::Record;

/// A package as a bundle installed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundled {
    /// Its version.
    pub version: String,
    /// Its hash, as the manifest has it.
    pub hash: String,
}

/// Where the packages of a generation come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The lock that it was brought up to: name and version.
    pub bundle: BTreeMap<String, String>,
    /// The packages that it has from a bundle.
    pub defaults: BTreeMap<String, Bundled>,
    /// The packages that were asked for by name.
    pub requested: BTreeSet<String>,
    /// Whether a record says so; else it is what can be told of an environment that an earlier version made.
    pub is_recorded: bool,
}

impl Origin {
    /// Reads it from the record, else, for one of an earlier version of this program, from the record of the generation
    /// that was made from the bundle.
    ///
    /// # Errors
    /// A record is damaged or cannot be read.
    pub fn read(generations: &Generations, record: &Record) -> Result<Self, UserEnvError> {
        let first = first(generations, record)?;
        Ok(Self {
            bundle: first.bundle.clone().unwrap_or_else(|| {
                let packages = from_bundle(&first);
                packages
                    .map(|one| (one.name.clone(), one.version.clone()))
                    .collect()
            }),
            defaults: first
                .defaults
                .clone()
                .unwrap_or_else(|| defaults(from_bundle(&first))),
            requested: record.requested.clone(),
            is_recorded: first.bundle.is_some(),
        })
    }

    /// Whether an installed package is a default that nobody touched: asked for, moved, or installed anew.
    pub fn is_untouched(&self, package: &Package) -> bool {
        let Some(default) = self.defaults.get(&package.name) else {
            return false;
        };
        !self.requested.contains(&package.name)
            && !package.by_pip
            && default.version == package.version
            && default.hash == package.hash
    }
}

/// Packages as a bundle installed them.
pub fn defaults<'a>(packages: impl Iterator<Item = &'a Package>) -> BTreeMap<String, Bundled> {
    packages
        .map(|package| {
            let default = Bundled {
                version: package.version.clone(),
                hash: package.hash.clone(),
            };
            (package.name.clone(), default)
        })
        .collect()
}

/// The nearest of a generation and those that it came from whose record tells; the one made from the bundle in the end.
fn first(generations: &Generations, record: &Record) -> Result<Record, UserEnvError> {
    let mut current = record.clone();
    while current.bundle.is_none() {
        let parent = match current.parent {
            Some(number) => generations.ready(number)?,
            None => break,
        };
        match parent {
            Some(parent) => current = parent,
            // Pruned away; the one from the bundle is kept.
            None => {
                let mut pristine = generations.all()?;
                pristine.retain(|one| one.parent.is_none() && one.number < current.number);
                return Ok(pristine.pop().unwrap_or(current));
            }
        }
    }
    Ok(current)
}

/// An environment that was taken in may have what administrators installed.
fn from_bundle(record: &Record) -> impl Iterator<Item = &Package> {
    record
        .packages
        .iter()
        .filter(|package| !package.by_pip && !record.requested.contains(&package.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            source: None,
            hash: "x".into(),
            by_pip: false,
            build: None,
        }
    }

    #[test]
    fn a_default_is_untouched_until_somebody_asks_for_it_moves_it_or_installs_it_anew() {
        let made = [package("a", "1"), package("b", "1")];
        let origin = Origin {
            bundle: BTreeMap::new(),
            defaults: defaults(made.iter()),
            requested: BTreeSet::from(["b".to_string()]),
            is_recorded: true,
        };
        assert!(origin.is_untouched(&package("a", "1")));
        assert!(!origin.is_untouched(&package("b", "1")));
        assert!(!origin.is_untouched(&package("c", "1")));
        assert!(!origin.is_untouched(&package("a", "2")));
        let anew = Package {
            hash: "y".into(),
            ..package("a", "1")
        };
        assert!(!origin.is_untouched(&anew));
        let by_pip = Package {
            by_pip: true,
            ..package("a", "1")
        };
        assert!(!origin.is_untouched(&by_pip));
    }
}
