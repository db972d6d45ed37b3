//! `check` and `repair`.

use serde_json::json;

use super::fallback::sentence;
use super::{environments, print, print_json};
use crate::error::UserEnvError;
use crate::python::other_python;
use crate::record::names;
use crate::repair::Repair;
use crate::upgrade::python::{PythonUpgrade, starts};
use crate::verify::verify;
use crate::workshop::Workshop;

/// Prints what is wrong with the active generation.
pub fn check(workshop: &Workshop<'_>, deep: bool, as_json: bool) -> Result<(), UserEnvError> {
    let record = workshop.generations.active_record()?;
    let health = workshop.examine(&record)?;
    let mut problems = health.problems();
    let fallback = workshop.generations.standing_fallback()?;
    problems.extend(fallback.as_ref().map(sentence));
    if deep && health.is_good() {
        let folder = workshop.generations.folder(record.number);
        problems.extend(
            verify(&folder, &record.packages)
                .err()
                .map(|error| error.to_string()),
        );
    }
    let named = environments::problems(workshop)?;
    let folder = workshop.generations.folder(record.number);
    let other = other_python(&folder)?.filter(|_| starts(&folder));
    if as_json {
        let named: Vec<_> = named
            .iter()
            .map(|(name, problem)| json!({"name": name.as_str(), "problem": problem}))
            .collect();
        print_json(&json!({
            "generation": record.number, "sound": problems.is_empty(), "problems": problems,
            "conflicts": health.conflicts, "by_hand": health.by_hand,
            "fallback": fallback.map(|fallback| fallback.generation), "environments": named,
            "missing": record.missing,
        }))?;
    } else {
        let mut text = String::new();
        for problem in &problems {
            text += &format!("error: {problem}\n");
        }
        for conflict in &health.conflicts {
            text += &format!("warning: {conflict}\n");
        }
        for (name, problem) in &named {
            text += &format!("warning: {}\n", environments::advice(name, problem));
        }
        for (name, missing) in environments::lacking(workshop)? {
            text += &format!(
                "warning: environment `{name}`: missing since the system's Python changed: {missing}; \
                 `sudo tljh-user-env upgrade-python` tries again\n"
            );
        }
        for change in &health.by_hand {
            text += &format!("changed by hand: {change}\n");
        }
        if !record.missing.is_empty() {
            text += &format!(
                "warning: missing since the system's Python changed: {}; \
                 `sudo tljh-user-env upgrade-python` tries again\n",
                names(&record.missing)
            );
        }
        if let Some((own, systems)) = other {
            text += &format!(
                "warning: it is for Python 3.{own}, and the system's is 3.{systems}; run `sudo tljh-user-env \
                 upgrade-python` before `apt autoremove` takes the old one away\n"
            );
        }
        if problems.is_empty() {
            text += &format!("generation {} is sound\n", record.number);
        }
        print(&text)?;
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(UserEnvError::Unhealthy)
    }
}

/// Mends the active generation, and tells how.
pub fn repair(workshop: &Workshop<'_>, fresh: bool, as_json: bool) -> Result<(), UserEnvError> {
    let done = match followed(workshop, fresh)? {
        Some(number) => Repair::Switched(number),
        None => workshop.repair(fresh)?,
    };
    match done {
        Repair::Nothing => log::info!("servers and kernels start; there is nothing to repair"),
        Repair::Opened(count) => log::info!("{count} files and folders can be read again"),
        Repair::Switched(number) => {
            log::info!("generation {number} is active, and servers start from it");
        }
    }
    for (name, problem) in environments::problems(workshop)? {
        log::warn!("{}", environments::advice(&name, &problem));
    }
    if as_json {
        let (what, number) = match done {
            Repair::Nothing => ("nothing", None),
            Repair::Opened(_) => ("modes", None),
            Repair::Switched(number) => ("switched", Some(number)),
        };
        print_json(&json!({"repair": what, "generation": number}))?;
    }
    Ok(())
}

/// The generation that was made since the system's Python has changed, which is what keeps servers from starting.
fn followed(workshop: &Workshop<'_>, fresh: bool) -> Result<Option<u64>, UserEnvError> {
    if fresh {
        return Ok(None);
    }
    match workshop.follow_python() {
        Ok(PythonUpgrade::Made { record, .. }) => Ok(Some(record.number)),
        Ok(_) => Ok(None),
        Err(error @ UserEnvError::NotRoot) => Err(error),
        Err(error) => {
            log::warn!("{error}");
            Ok(None)
        }
    }
}
