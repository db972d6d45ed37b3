//! `tljh-config add-item KEY VALUE...`.

use serde_json::Value;
use tljh_settings::edit::split_path;

use super::Target;
use super::change::Change;
use super::items;
use crate::cli::ItemArgs;
use crate::error::Error;

/// Adds items to a list, those that it does not hold.
pub fn run(target: &Target, words: &ItemArgs) -> Result<(), Error> {
    let change = Change::of_key("add-item", &words.key_path, " VALUE");
    change.make(target, |document| {
        let path = split_path(&words.key_path)?;
        if let (["users", "extra_user_groups", _], Some(Value::String(name))) =
            (path.as_slice(), document.get(&path))
        {
            // Upstream's `set` stored one name as text; it becomes the list that was meant.
            let list = Value::Array(vec![name.clone().into()]);
            document.set(&path, &list)?;
        }
        let items = items::items(&path, &words.values);
        let there = document.add_items(&path, &items)?;
        Ok(items::notice(&there, "already in", &words.key_path))
    })
}
