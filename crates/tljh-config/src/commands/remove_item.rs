//! `tljh-config remove-item KEY VALUE...`.

use tljh_settings::edit::{EditError, split_path};
use tljh_settings::{Lookup, lookup};

use super::Target;
use super::change::Change;
use super::items;
use crate::cli::ItemArgs;
use crate::error::Error;

/// Removes items from a list, those that it holds.
pub fn run(target: &Target, words: &ItemArgs) -> Result<(), Error> {
    let change = Change::of_key("remove-item", &words.key_path, " VALUE");
    change.make(target, |document| {
        let path = split_path(&words.key_path)?;
        let known_list = matches!(lookup(&path), Lookup::Key { kind, .. } if kind.is_list());
        let items = items::items(&path, &words.values);
        let absent = match document.remove_items(&path, &items) {
            Err(EditError::Absent { .. }) if known_list => items.iter().collect(),
            absent => absent?,
        };
        Ok(items::notice(&absent, "not in", &words.key_path))
    })
}
