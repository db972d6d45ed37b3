//! `tljh-hub account`.

use std::collections::BTreeSet;

use serde_json::json;
use tljh_machine::account::{Rights, ensure_account};
use tljh_machine::registry::Registry;
use tljh_machine::{Paths, SystemRunner};

use crate::cli::EnsureAccount;
use crate::error::HubError;

/// Makes an account and tells about it.
pub fn ensure(paths: &Paths, arguments: &EnsureAccount) -> Result<(), HubError> {
    let rights = Rights {
        admin: arguments.admin,
        groups: arguments.groups.iter().cloned().collect::<BTreeSet<_>>(),
    };
    let account = ensure_account(&SystemRunner, paths, &arguments.name, &rights)?;
    super::print(&if arguments.json {
        format!("{}\n", json!(account))
    } else {
        format!("{}\n", account.account)
    })
}

/// Lists the registry.
pub fn list(paths: &Paths, as_json: bool) -> Result<(), HubError> {
    let lines = Registry::open(paths)?
        .list()?
        .into_iter()
        .map(|(account, record)| {
            if as_json {
                let record =
                    json!({"account": account, "hub_user": record.hub_user, "uid": record.uid});
                format!("{record}\n")
            } else {
                format!("{account}\t{}\n", record.hub_user.escape_debug())
            }
        });
    super::print(&lines.collect::<String>())
}
