//! `tljh-hub backup`.

use chrono::{DateTime, Local, SecondsFormat};
use serde_json::json;
use tljh_machine::{Paths, SystemRunner};

use crate::backup::{self, Backup, Backups, Reason};
use crate::cli::RestoreBackup;
use crate::error::HubError;
use crate::{packages, restore};

/// Makes a backup and tells its number.
pub fn create(paths: &Paths, as_json: bool) -> Result<(), HubError> {
    let package = packages::version(&SystemRunner);
    let backup = Backups::open(paths)?.create(&SystemRunner, &package, Reason::Requested)?;
    super::print(&if as_json {
        format!("{}\n", described(&backup))
    } else {
        format!(
            "made backup {} in {}\n",
            backup.number,
            backup.folder.display()
        )
    })
}

/// Prints a line for each backup, newest first.
pub fn list(paths: &Paths, as_json: bool) -> Result<(), HubError> {
    let backups = backup::list(paths)?;
    if backups.is_empty() {
        log::info!("there is no backup yet; `sudo tljh-hub backup create` makes one");
        return Ok(());
    }
    let lines = backups.iter().map(|backup| {
        if as_json {
            return format!("{}\n", described(backup));
        }
        let manifest = &backup.manifest;
        format!(
            "{:>4}  {}  {}  state {}  {:>9}  {}\n",
            backup.number,
            DateTime::<Local>::from(manifest.time).format("%Y-%m-%d %H:%M:%S"),
            manifest.package,
            manifest.state_version,
            readable(manifest.size()),
            manifest.reason
        )
    });
    super::print(&lines.collect::<String>())
}

/// Puts a backup back and tells what was done.
pub fn restore(paths: &Paths, arguments: &RestoreBackup) -> Result<(), HubError> {
    let package = packages::version(&SystemRunner);
    let done = restore::restore(
        paths,
        &SystemRunner,
        &package,
        arguments.number,
        arguments.keep_stopped,
    )?;
    let hub = match (done.hub_started, arguments.keep_stopped) {
        (true, _) => "the hub runs again",
        (false, true) => {
            "the hub is stopped: install the version that is wanted, or run `sudo systemctl start jupyterhub`"
        }
        (false, false) => "the hub did not run and was not started",
    };
    super::print(&format!(
        "backup {} was put back; what was there is backup {}\n{hub}\n",
        done.number, done.before
    ))
}

fn described(backup: &Backup) -> serde_json::Value {
    let manifest = &backup.manifest;
    json!({
        "number": backup.number,
        "time": manifest.time.to_rfc3339_opts(SecondsFormat::Secs, true),
        "package": manifest.package,
        "state_version": manifest.state_version,
        "size": manifest.size(),
        "reason": manifest.reason.to_string(),
        "folder": backup.folder,
    })
}

/// Bytes in the largest unit that leaves a whole number of at least one.
fn readable(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(size, _)| bytes >= *size);
    match unit {
        Some((size, name)) => format!("{} {name}", bytes / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(readable(999), "999 B");
        assert_eq!(readable(147_456), "144 KiB");
        assert_eq!(readable(3 << 30), "3 GiB");
    }
}
