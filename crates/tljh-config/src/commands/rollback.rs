//! `tljh-config rollback [N]`.

use tljh_machine::history::{History, Version};
use tljh_machine::{Paths, SystemRunner};
use tljh_settings::Settings;
use tljh_settings::edit::Document;

use super::diff::find;
use super::reload::Reload;
use super::{Target, print, require_root};
use crate::cli::Component;
use crate::difference;
use crate::error::Error;
use crate::turn::Turn;

/// Puts a configuration that worked in the place of the file's, and applies it.
pub fn run(target: &Target, number: Option<u64>, timeout: u64) -> Result<(), Error> {
    let store = target.store()?;
    require_root()?;
    let paths = Paths::default();
    let turn = match target.dry_run {
        true => None,
        false => Some(Turn::take(&paths, timeout)?),
    };
    let held = store.hold()?;
    let current = store.read_text()?;
    let versions = History::new(&paths).versions()?;
    let version = choose(&versions, number, &current)?;
    if target.dry_run {
        let (now, then) = (Document::parse(&current)?, Document::parse(&version.text)?);
        log::info!("dry run: nothing is written");
        return print(&difference::unified(store.path(), &now, &then));
    }
    if version.text == current {
        log::info!(
            "`{}` is configuration {} already",
            store.path().display(),
            version.number
        );
    } else {
        let aside = target.set_aside(&current, "before-rollback")?;
        held.replace(&version.text)?;
        log::info!(
            "`{}` is now configuration {}; what it was is in `{}`",
            store.path().display(),
            version.number,
            aside.display()
        );
    }
    // Others may change the file while the services restart, but not apply it.
    drop(held);
    let reload = Reload::new(&SystemRunner, timeout);
    if !same_addresses(&current, &version.text) {
        reload.apply_text(Component::Proxy, &version.text)?;
    }
    reload.apply_text(Component::Hub, &version.text)?;
    drop(turn);
    print("Rollback complete\n")
}

/// Whether the proxy, which reads nothing else, has nothing to do.
fn same_addresses(before: &str, after: &str) -> bool {
    match (Settings::parse(before), Settings::parse(after)) {
        (Ok(before), Ok(after)) => before.http == after.http && before.https == after.https,
        _ => false,
    }
}

/// The version that is asked for; without a number, the newest that differs from the file.
fn choose<'a>(
    versions: &'a [Version],
    number: Option<u64>,
    current: &str,
) -> Result<&'a Version, Error> {
    if number.is_some() {
        return find(versions, number);
    }
    let differs = |version: &&Version| version.text != current;
    versions.iter().find(differs).ok_or(Error::NothingEarlier)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn version(number: u64, text: &str) -> Version {
        Version {
            number,
            time: SystemTime::UNIX_EPOCH,
            text: text.into(),
        }
    }

    #[test]
    fn without_a_number_the_newest_that_differs_comes_back() {
        let versions = [version(3, "c"), version(2, "b"), version(1, "a")];
        let chosen =
            |number, current| choose(&versions, number, current).map(|version| version.number);
        assert_eq!(chosen(None, "changed by hand").unwrap(), 3);
        assert_eq!(chosen(None, "c").unwrap(), 2);
        assert_eq!(chosen(Some(1), "c").unwrap(), 1);
        assert!(matches!(
            chosen(Some(9), "c"),
            Err(Error::NoVersion { number: 9 })
        ));
        assert!(matches!(
            choose(&versions[..1], None, "c"),
            Err(Error::NothingEarlier)
        ));
    }
}
