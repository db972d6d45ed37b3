//! What dpkg knows of the packages.

use tljh_machine::{Invocation, Runner};

/// The version of `tljh` that is installed or being configured, else of the package whose program this is.
pub fn version(runner: &dyn Runner) -> String {
    ["tljh", "tljh-hub"]
        .into_iter()
        .find_map(|package| installed(runner, package))
        .unwrap_or_else(|| env!("CARGO_PKG_VERSION").into())
}

fn installed(runner: &dyn Runner, package: &str) -> Option<String> {
    let asked = Invocation::new("dpkg-query").args(["--show", "--showformat=${Version}", package]);
    let told = runner.run(&asked).ok()?.stdout;
    Some(told.trim().to_string()).filter(|version| !version.is_empty())
}

/// All packages of one version, as apt and a shell take them.
pub fn all_of(version: &str) -> String {
    format!("tljh{{,-hub,-config,-user-env,-proxy,-archive-keyring}}={version}")
}

/// Whether dpkg has `package`, configured or not.
pub fn is_there(runner: &dyn Runner, package: &str) -> bool {
    !matches!(status(runner, package).as_str(), "" | "not-installed")
}

/// Whether `package` is installed and configured.
pub fn is_installed(runner: &dyn Runner, package: &str) -> bool {
    status(runner, package) == "installed"
}

fn status(runner: &dyn Runner, package: &str) -> String {
    let asked =
        Invocation::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]);
    runner
        .output(&asked)
        .map(|told| told.stdout.trim().to_string())
        .unwrap_or_default()
}

/// Whether `version` comes before `other` (deb-version(7)).
pub fn is_older(runner: &dyn Runner, version: &str, other: &str) -> bool {
    let compare = Invocation::new("dpkg").args(["--compare-versions", version, "lt", other]);
    runner.run(&compare).is_ok()
}
