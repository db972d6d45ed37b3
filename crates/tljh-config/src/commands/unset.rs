//! `tljh-config unset KEY`.

use super::Target;
use super::edit::Edit;
use crate::error::Error;

/// Removes a key, and sections that this leaves empty.
pub fn run(target: &Target, key_path: &str) -> Result<(), Error> {
    let edit = Edit {
        verb: "unset",
        key_path,
        value: None,
    };
    edit.apply(target, |document, path| Ok(document.unset(path)?))
}
