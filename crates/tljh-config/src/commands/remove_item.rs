//! `tljh-config remove-item KEY VALUE`.

use super::Target;
use super::edit::{Edit, item};
use crate::error::Error;

/// Removes an item from a list, which must hold it.
pub fn run(target: &Target, key_path: &str, word: &str) -> Result<(), Error> {
    let edit = Edit {
        verb: "remove-item",
        key_path,
        value: Some(word),
    };
    edit.apply(target, |document, path| {
        Ok(document.remove_item(path, &item(path, word))?)
    })
}
