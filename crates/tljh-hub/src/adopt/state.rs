//! The hub's state: its database, which the migrations of every upgrade bring to the schema of now, its cookie secret, and
//! the passwords of the first-use authenticator.

use tljh_machine::{Paths, Runner, files};

use super::copies::copy_entries;
use super::error::AdoptError;
use crate::backup::{Backups, Reason};
use crate::{database, packages, passwords, restore};

const DATABASE: &str = "jupyterhub.sqlite";
const PASSWORDS: &str = "passwords.dbm";
/// What belongs to a proxy of upstream's, or is copied otherwise.
const OTHERS: [&str; 8] = [
    DATABASE,
    "acme.json",
    "configproxy.token",
    "jupyterhub-proxy.pid",
    "rules",
    "traefik-api.secret",
    "traefik.toml",
    PASSWORDS,
];

/// Keeps as a backup what an earlier installation of ours left, which upstream's takes the place of.
pub fn back_up_earlier(paths: &Paths, runner: &dyn Runner) -> Result<Vec<String>, AdoptError> {
    if !restore::has_state(paths) && !paths.config_yaml().exists() {
        return Ok(Vec::new());
    }
    let package = packages::version(runner);
    let backup = Backups::open(paths)?.create(runner, &package, Reason::Requested)?;
    Ok(vec![format!(
        "what an earlier installation of tljh left is backup {}",
        backup.number
    )])
}

/// Copies database and secrets. Nobody uses the old ones any more.
pub fn take(paths: &Paths, runner: &dyn Runner) -> Result<Vec<String>, AdoptError> {
    let from = paths.upstream().join("state");
    let is_other = |name: &str| {
        let stem = |own: &str| name == own || name.starts_with(&format!("{own}."));
        !OTHERS.contains(&name) && !stem(PASSWORDS) && !name.starts_with(&format!("{DATABASE}-"))
    };
    let copied = copy_entries(&from, &paths.state(), is_other)?;
    let mut told = Vec::new();
    let old = from.join(DATABASE);
    if old.exists() {
        let new = paths.hub_database();
        let beside = new.with_file_name(".jupyterhub.sqlite.adopted");
        files::ensure_absent(&beside)?;
        database::copy(paths, runner, &old, &beside)?;
        // Of an earlier installation's database, perhaps.
        for ending in ["-journal", "-wal", "-shm"] {
            files::ensure_absent(&paths.state().join(format!("{DATABASE}{ending}")))?;
        }
        tljh_machine::durable::replace(&beside, &new)?;
        told.push(format!(
            "{} hub users, with their servers and tokens",
            database::users(paths, runner, &new)?.len()
        ));
    }
    // Its schema is whichever it is; the migrations find out.
    files::ensure_absent(&paths.state_version())?;
    files::ensure_absent(&paths.database_schema())?;
    let secret = paths.cookie_secret();
    let is_secret =
        |name: &String| Some(name.as_str()) == secret.file_name().and_then(|name| name.to_str());
    let rest: Vec<&String> = copied.iter().filter(|name| !is_secret(name)).collect();
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|name| name.as_str()).collect();
        told.push(format!(
            "beside the state, as they were: {}",
            names.join(", ")
        ));
    }
    Ok(told)
}

/// Copies the passwords, in the format that every Python reads.
pub fn take_passwords(paths: &Paths, runner: &dyn Runner) -> Result<Vec<String>, AdoptError> {
    let old = paths.upstream().join("state").join(PASSWORDS);
    if !passwords::is_there(&old) {
        return Ok(Vec::new());
    }
    let convert = passwords::program(paths)
        .arg("convert")
        .arg(&old)
        .arg(paths.password_database());
    let count = runner.run(&convert)?.stdout;
    Ok(vec![format!(
        "{} passwords of people who log in by the first-use authenticator",
        count.trim()
    )])
}
