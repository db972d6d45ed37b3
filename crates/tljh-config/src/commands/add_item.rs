//! `tljh-config add-item KEY VALUE`.

use serde_json::Value;

use super::Target;
use super::edit::{Edit, item};
use crate::error::Error;

/// Adds an item to a list, unless it is there.
pub fn run(target: &Target, key_path: &str, word: &str) -> Result<(), Error> {
    let edit = Edit {
        verb: "add-item",
        key_path,
        value: Some(word),
    };
    edit.apply(target, |document, path| {
        if let (["users", "extra_user_groups", _], Some(Value::String(name))) =
            (path, document.get(path))
        {
            // Upstream's `set` stored one name as text; it becomes the list that was meant.
            let list = Value::Array(vec![name.clone().into()]);
            document.set(path, &list)?;
        }
        document.add_item(path, &item(path, word))?;
        Ok(())
    })
}
