//! `search`: packages of the channels, by name or pattern.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use glob::Pattern;
use rattler_conda_types::{MatchSpec, PackageName, RepoDataRecord};

use crate::channels::Channels;
use crate::error::CondaError;
use crate::index::Index;
use crate::installed::name;
use crate::progress;
use crate::protocol::{Found, SearchAnswer, SearchRequest};
use crate::spec;

/// Nobody reads more, and each name may be a request of its own.
const NAMES: usize = 200;

/// Answers a request.
///
/// # Errors
/// The pattern is none, or an index cannot be had.
pub async fn run(request: SearchRequest) -> Result<SearchAnswer, CondaError> {
    let channels = Channels::parse_some(&request.channels)?;
    let wanted = if request.names.is_empty() {
        Wanted::parse(&request.pattern)?
    } else {
        Wanted::Names(spec::parse_names(&request.names)?)
    };
    let index = Index::new(channels, &request.cache, request.offline)?;
    let phase = progress::phase(format!(
        "reading the index of {}",
        index.names_of_channels()
    ));
    let is_exact = matches!(wanted, Wanted::Names(_));
    let mut names: Vec<PackageName> = match wanted {
        Wanted::Names(names) => names,
        Wanted::Matching(pattern) => {
            let all = index.names().await?.into_iter();
            all.filter(|name| pattern.matches(name.as_normalized()))
                .collect()
        }
    };
    let most = if is_exact { names.len() } else { NAMES };
    let left_out = names.len().saturating_sub(most);
    names.truncate(most);
    let specs: Vec<_> = names.into_iter().map(MatchSpec::from).collect();
    let found = index.records(&specs, false).await?;
    phase.done();

    let mut by_name: BTreeMap<&PackageName, Vec<&RepoDataRecord>> = BTreeMap::new();
    for record in found.iter().flatten() {
        by_name.entry(name(record)).or_default().push(record);
    }
    let mut packages = Vec::new();
    for records in by_name.values_mut() {
        records.sort_by_key(|record| Reverse(&record.package_record));
        let wanted = if is_exact { records.len() } else { 1 };
        packages.extend(records.iter().take(wanted).map(|record| shown(record)));
    }
    Ok(SearchAnswer { packages, left_out })
}

/// Which packages.
enum Wanted {
    Names(Vec<PackageName>),
    Matching(Pattern),
}

impl Wanted {
    fn parse(pattern: &str) -> Result<Self, CondaError> {
        let refused = |reason: &str| CondaError::Spec {
            spec: pattern.into(),
            reason: reason.into(),
        };
        let pattern = pattern.trim().to_lowercase();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "._-*?[]".contains(letter);
        if pattern.is_empty() || pattern.starts_with('-') || !pattern.chars().all(is_word) {
            let reason = "only letters, digits, `.`, `_`, `-`, `*` and `?` are taken";
            return Err(refused(reason));
        }
        if pattern.contains(['*', '?', '[']) {
            return Pattern::new(&pattern)
                .map(Self::Matching)
                .map_err(|error| refused(error.msg));
        }
        PackageName::try_from(pattern.as_str())
            .map(|name| Self::Names(vec![name]))
            .map_err(|error| refused(&error.to_string()))
    }
}

fn shown(record: &RepoDataRecord) -> Found {
    let package = &record.package_record;
    Found {
        name: package.name.as_normalized().into(),
        version: package.version.to_string(),
        build: package.build.to_string(),
        channel: record.channel.clone().unwrap_or_default(),
        size: package.size,
    }
}
