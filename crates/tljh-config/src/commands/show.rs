//! `tljh-config show`.

use serde_json::Value;

use super::{Target, print};
use crate::error::Error;

/// Prints the file as it is; `{}` where it sets nothing.
pub fn run(target: &Target) -> Result<(), Error> {
    let document = target.store()?.read()?;
    if document
        .value()
        .as_object()
        .is_none_or(serde_json::Map::<String, Value>::is_empty)
    {
        return print("{}\n");
    }
    let text = document.to_string();
    print(&if text.ends_with('\n') {
        text
    } else {
        text + "\n"
    })
}
