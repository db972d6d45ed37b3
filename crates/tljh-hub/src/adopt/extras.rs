//! What administrators and plugins had installed into upstream's hub environment. Ours belongs to dpkg: it has every
//! authenticator that upstream ships, and nothing can be added to it.

use std::collections::BTreeSet;
use std::path::Path;

use tljh_machine::{Paths, files};

use super::error::AdoptError;

/// Upstream's own, and what every environment has.
const UPSTREAMS: [&str; 7] = [
    "backports-tarfile",
    "jupyterhub-traefik-proxy",
    "pip",
    "setuptools",
    "the-littlest-jupyterhub",
    "toolz",
    "wheel",
];

/// Tells of each package that is not in our environment and that nothing else there needs.
pub fn tell(paths: &Paths) -> Result<Vec<String>, AdoptError> {
    let kept = paths.upstream().join("hub/lib");
    let ours: BTreeSet<String> = packages(&paths.hub_libraries())?
        .into_iter()
        .map(|package| package.name)
        .collect();
    let old = packages(&kept)?;
    let needed: BTreeSet<&String> = old.iter().flat_map(|package| &package.needs).collect();
    let mut told: Vec<String> = old
        .iter()
        .filter(|package| !ours.contains(&package.name) && !needed.contains(&package.name))
        .filter(|package| !UPSTREAMS.contains(&package.name.as_str()))
        .map(|package| {
            format!(
                "not in the hub's environment any more: {} {}",
                package.name, package.version
            )
        })
        .collect();
    if !told.is_empty() {
        told.push("hint: where a snippet or a plugin needs it, see \"Packages of the hub\" in docs/adoption.md".into());
    }
    Ok(told)
}

struct Package {
    name: String,
    version: String,
    /// What it needs, if not for an extra of its own.
    needs: Vec<String>,
}

/// The packages in `lib`, a folder with one for a Python in it.
fn packages(lib: &Path) -> Result<Vec<Package>, AdoptError> {
    let mut found = Vec::new();
    if !lib.is_dir() {
        return Ok(found);
    }
    for python in files::list_folder(lib)? {
        let site = python.join("site-packages");
        if python.is_symlink() || !site.is_dir() {
            continue;
        }
        for entry in files::list_folder(&site)? {
            if entry
                .extension()
                .is_some_and(|ending| ending == "dist-info")
            {
                found.extend(read(&entry.join("METADATA")));
            }
        }
    }
    Ok(found)
}

fn read(metadata: &Path) -> Option<Package> {
    let text = files::read(metadata).ok()?;
    let headers = || text.lines().take_while(|line| !line.is_empty());
    let field = |name: &str| headers().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let needs = headers()
        .filter_map(|line| line.strip_prefix("Requires-Dist: "))
        .filter(|need| !need.contains("extra =="))
        .map(|need| {
            let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            normal(need.split(|c| !is_of_a_name(c)).next().unwrap_or_default())
        })
        .collect();
    Some(Package {
        name: normal(field("Name")?),
        version: field("Version")?.into(),
        needs,
    })
}

/// The name by which indexes know a package (PEP 503).
fn normal(name: &str) -> String {
    let parts: Vec<&str> = name
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-").to_ascii_lowercase()
}
