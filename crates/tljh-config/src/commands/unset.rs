//! `tljh-config unset KEY`.

use tljh_settings::edit::split_path;

use super::Target;
use super::change::Change;
use crate::error::Error;

/// Removes a key, and sections that this leaves empty.
pub fn run(target: &Target, key_path: &str) -> Result<(), Error> {
    Change::of_key("unset", key_path, "").make(target, |document| {
        document.unset(&split_path(key_path)?)?;
        Ok(Vec::new())
    })
}
