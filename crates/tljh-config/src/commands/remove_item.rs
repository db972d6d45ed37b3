//! `tljh-config remove-item KEY VALUE...`.

use tljh_settings::edit::{EditError, split_path};
use tljh_settings::{Lookup, lookup};

use super::Target;
use super::change::Change;
use super::items::{self, item};
use crate::cli::ItemArgs;
use crate::error::Error;

/// Removes items from a list, those that it holds.
pub fn run(target: &Target, words: &ItemArgs) -> Result<(), Error> {
    let change = Change::of_key("remove-item", &words.key_path, " VALUE");
    change.make(target, |document| {
        let path = split_path(&words.key_path)?;
        let known_list = matches!(lookup(&path), Lookup::Key { kind, .. } if kind.is_list());
        let mut absent = Vec::new();
        for word in &words.values {
            match document.remove_item(&path, &item(&path, word)) {
                Ok(()) => {}
                Err(EditError::NoSuchItem { .. }) => absent.push(word.as_str()),
                Err(EditError::Absent { .. }) if known_list => absent.push(word.as_str()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(items::notice(&absent, "not in", &words.key_path))
    })
}
