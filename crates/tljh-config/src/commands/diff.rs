//! `tljh-config diff [N]`.

use tljh_machine::Paths;
use tljh_machine::history::{History, Version};
use tljh_settings::edit::Document;

use super::{Target, print};
use crate::difference;
use crate::error::Error;

/// Prints how the file differs from a configuration that worked; nothing where it does not.
pub fn run(target: &Target, number: Option<u64>) -> Result<(), Error> {
    let store = target.store()?;
    let versions = History::new(&Paths::default()).versions()?;
    let version = find(&versions, number)?;
    let worked = Document::parse(&version.text)?;
    print(&difference::unified(store.path(), &worked, &store.read()?))
}

/// The version of this number; without one, the newest.
pub fn find(versions: &[Version], number: Option<u64>) -> Result<&Version, Error> {
    match number {
        Some(number) => versions
            .iter()
            .find(|version| version.number == number)
            .ok_or(Error::NoVersion { number }),
        None => versions.first().ok_or(Error::NothingEarlier),
    }
}
