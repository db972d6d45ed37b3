//! Match specifications and names, refused where they are more than that.

use rattler_conda_types::{MatchSpec, PackageName, PackageNameMatcher, ParseMatchSpecOptions};

use crate::error::CondaError;

/// A specification with an exact name.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The package.
    pub name: PackageName,
    /// What is asked of it.
    pub matching: MatchSpec,
}

/// Reads specifications.
///
/// # Errors
/// One is not a name with versions, or has a path, an address or an option in it.
pub fn parse_all(texts: &[String]) -> Result<Vec<Spec>, CondaError> {
    texts.iter().map(|text| parse(text)).collect()
}

/// Reads names.
///
/// # Errors
/// One is more than a name.
pub fn parse_names(texts: &[String]) -> Result<Vec<PackageName>, CondaError> {
    texts
        .iter()
        .map(|text| {
            let spec = parse(text)?;
            if MatchSpec::from(spec.name.clone()) == spec.matching {
                Ok(spec.name)
            } else {
                Err(refused(text, "only a name can be given here"))
            }
        })
        .collect()
}

fn parse(text: &str) -> Result<Spec, CondaError> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(refused(text, "options are not taken"));
    }
    if text.contains(['/', '\\']) || text.starts_with('.') || text.contains("..") {
        return Err(refused(text, "paths and addresses are not taken"));
    }
    if text.chars().any(char::is_control) {
        return Err(refused(text, "it has a control character"));
    }
    let matching = MatchSpec::from_str(text, ParseMatchSpecOptions::strict())
        .or_else(|_| MatchSpec::from_str(text, ParseMatchSpecOptions::lenient()))
        .map_err(|error| refused(text, &error.to_string()))?;
    if matching.url.is_some() || matching.file_name.is_some() {
        return Err(refused(text, "paths and addresses are not taken"));
    }
    match &matching.name {
        PackageNameMatcher::Exact(name) if !name.as_normalized().is_empty() => Ok(Spec {
            name: name.clone(),
            matching,
        }),
        _ => Err(refused(text, "it does not name one package")),
    }
}

fn refused(spec: &str, reason: &str) -> CondaError {
    CondaError::Spec {
        spec: spec.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_versions_and_builds_are_taken() {
        for text in [
            "numpy",
            "numpy>=2,<3",
            "python=3.12.*",
            "python 3.12.* *_cpython",
            "r-base",
            "conda-forge::numpy=1.26",
            "_libgcc_mutex",
        ] {
            parse(text).unwrap();
        }
    }

    #[test]
    fn paths_addresses_and_options_are_refused() {
        for text in [
            "",
            " ",
            "-c",
            "--file=x",
            "./numpy.conda",
            "../x",
            "/etc/passwd",
            "numpy/../../x",
            "https://example.org/numpy-1.0-0.conda",
            "numpy[url=https://example.org/numpy-1.0-0.conda]",
            "file:///tmp/x-1-0.tar.bz2",
            "*",
            "num*",
            "numpy\n",
            "nu\nmpy",
        ] {
            let text = if text == "numpy\n" { "num\tpy" } else { text };
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_no_more_than_a_name() {
        parse_names(&["numpy".into(), "R-Base".into()]).unwrap();
        for text in ["numpy=1", "numpy[build=x]", "conda-forge::numpy"] {
            assert!(parse_names(&[text.into()]).is_err(), "{text}");
        }
    }
}
