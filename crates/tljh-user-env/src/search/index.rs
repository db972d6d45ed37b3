//! Where uv looks for packages.

use std::path::Path;
use std::time::Duration;

use tljh_terminal::Secret;

use crate::error::UserEnvError;
use crate::uv::Uv;
use crate::workshop::Workshop;

const DEADLINE: Duration = Duration::from_secs(30);

/// A package index (PEP 503).
pub struct Index {
    /// Its address, perhaps with a password in it; none where uv uses folders of wheels alone.
    pub url: Option<Secret>,
    /// Folders and pages of wheels, separated by spaces.
    pub find_links: Secret,
}

/// The indexes in the order in which uv asks them, from all that it is told by: its files of settings and its
/// environment variables.
///
/// # Errors
/// They cannot be understood, or the environment's Python does not start.
pub fn read_indexes(
    workshop: &Workshop<'_>,
    environment: &Path,
) -> Result<Vec<Index>, UserEnvError> {
    let uv = Uv::new(workshop.runner, &workshop.bundle, "/nonexistent".into());
    let told = uv.tell(environment, DEADLINE, |uv| {
        uv.args([
            "compile",
            "--offline",
            "--quiet",
            "--no-header",
            "--no-cache",
        ])
        .args(["--emit-index-url", "--emit-find-links", "-"])
    })?;
    Ok(in_order(&told))
}

/// Reads the head of a file of requirements. The index that is named first is the one for what no other one has.
fn in_order(head: &str) -> Vec<Index> {
    let values = |option: &str| -> Vec<&str> {
        let lines = head.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(|(name, _)| *name == option)
            .map(|(_, value)| value.trim())
            .collect()
    };
    let find_links = values("--find-links").join(" ");
    let index = |url: Option<&str>| Index {
        url: url.map(Secret::new),
        find_links: Secret::new(find_links.as_str()),
    };
    let mut urls = values("--extra-index-url");
    urls.extend(values("--index-url"));
    if urls.is_empty() {
        return vec![index(None)];
    }
    urls.into_iter().map(|url| index(Some(url))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_index_comes_last_and_folders_belong_to_all() {
        let head = "--index-url https://d/simple\n--extra-index-url https://u:p@e/simple\n--find-links /a\n--find-links /b\n\n";
        let urls = |head: &str| -> Vec<(Option<String>, String)> {
            let plain = |secret: Secret| secret.expose().to_string();
            in_order(head)
                .into_iter()
                .map(|index| (index.url.map(plain), plain(index.find_links)))
                .collect()
        };
        let both = "/a /b".to_string();
        assert_eq!(
            urls(head),
            [
                (Some("https://u:p@e/simple".into()), both.clone()),
                (Some("https://d/simple".into()), both)
            ]
        );
        assert_eq!(urls("\n"), [(None, String::new())]);
    }
}
