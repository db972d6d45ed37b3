//! What packages of conda's want in the environment variables of who uses them (`etc/conda/activate.d`), such as where
//! GDAL finds its tables. Nobody activates the environment of a server, so that it is found out once and kept in a file,
//! which `python/tljh_generation.py` reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tljh_machine::{Runner as _, SystemRunner};

use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::json;
use crate::verify::Visitor;

/// The file: a mapping from names to values.
const FILE: &str = ".tljh-activation.json";
const DEADLINE: Duration = Duration::from_secs(60);
/// Prints the variables, each ended by a zero byte.
const SCRIPT: &str = r#"
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -r "$script" ]; then . "$script" >&2; fi
done
env --null
"#;
/// bash's own, and those of the one who asks.
const OTHERS: [&str; 8] = [
    "HOME", "LC_ALL", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_",
];

/// Finds out what the packages in `environment`, which everybody knows as `known`, want.
///
/// # Errors
/// A script fails, or the file cannot be written.
pub fn ensure(environment: &Path, known: &Path) -> Result<(), UserEnvError> {
    if Engine::of(environment) == Engine::Venv {
        return Ok(());
    }
    let home = tempfile::Builder::new()
        .prefix("tljh-activation-")
        .tempdir()
        .map_err(|source| UserEnvError::Trial { source })?;
    let prefix = environment.display().to_string();
    let invocation = Visitor::new(environment, home.path())?
        .run(
            &["bash", "--noprofile", "--norc", "-c", SCRIPT],
            &[("CONDA_PREFIX", prefix.clone())],
        )
        .deadline(DEADLINE);
    let told = SystemRunner.run(&invocation)?.stdout;
    let known = known.display().to_string();
    let variables: BTreeMap<&str, String> = told
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !OTHERS.contains(name))
        .map(|(name, value)| (name, value.replace(&prefix, &known)))
        .collect();
    json::write(&environment.join(FILE), &variables, 0o644)
}
