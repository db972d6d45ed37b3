//! `tljh-hub adopt`.

use serde_json::json;
use tljh_machine::services::HUB_UNIT;
use tljh_machine::systemd::UnitState;
use tljh_machine::{Paths, SystemRunner, Systemd};

use crate::adopt::{self, AdoptError, Journal};
use crate::cli::Agreed;
use crate::error::HubError;

/// Tells what was taken over, and whether there is a way back.
pub fn status(paths: &Paths, as_json: bool) -> Result<(), HubError> {
    let Some(journal) = Journal::read(paths)? else {
        if as_json {
            return super::print("null\n");
        }
        log::info!("nothing of upstream's is kept on this machine");
        return Ok(());
    };
    let kept = paths.upstream();
    if as_json {
        let told = json!({
            "folder": kept, "began": journal.began, "finished": journal.finished, "done": journal.done,
        });
        return super::print(&format!("{told}\n"));
    }
    let mut text = String::new();
    for line in journal.done.iter().flat_map(|done| &done.told) {
        text += &format!("{line}\n");
    }
    text += &match journal.finished {
        Some(time) => format!(
            "taken over {}; all that was upstream's is kept in {}\n",
            chrono::DateTime::<chrono::Local>::from(time).format("%Y-%m-%d %H:%M:%S"),
            kept.display()
        ),
        None => "not finished: `sudo dpkg --configure -a` goes on\n".into(),
    };
    super::print(&text)
}

/// Brings upstream's installation back.
pub fn undo(paths: &Paths, arguments: &Agreed) -> Result<(), HubError> {
    let kept = adopt::undo(paths, &SystemRunner, arguments.yes)?;
    let mut text = String::from("upstream's installation is back in /opt/tljh");
    if Systemd::is_booted(paths) {
        text += match Systemd::new(&SystemRunner).state(HUB_UNIT)? {
            UnitState::Active | UnitState::Changing => ", and its hub runs",
            _ => "; its hub does not run: see `sudo journalctl --unit jupyterhub`",
        };
    }
    text += "\n";
    if let Some(kept) = kept {
        text += &format!("the state of tljh until now is in {}\n", kept.display());
    }
    super::print(&text)
}

/// Deletes what is kept of upstream's.
pub fn commit(paths: &Paths, arguments: &Agreed) -> Result<(), HubError> {
    adopt::commit(paths, arguments.yes)?;
    super::print("what was upstream's is deleted; the adoption is final\n")
}

impl From<AdoptError> for HubError {
    fn from(error: AdoptError) -> Self {
        Self::Adopt(Box::new(error))
    }
}
