//! `tljh-hub account`.

use std::collections::BTreeSet;
use std::io::Write;

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
    let line = if arguments.json {
        json!(account).to_string()
    } else {
        account.account
    };
    writeln!(std::io::stdout(), "{line}").map_err(HubError::Print)
}

/// Lists the registry.
pub fn list(paths: &Paths, as_json: bool) -> Result<(), HubError> {
    let mut out = std::io::stdout().lock();
    for (account, record) in Registry::open(paths)?.list()? {
        if as_json {
            writeln!(
                out,
                "{}",
                json!({"account": account, "hub_user": record.hub_user, "uid": record.uid})
            )
        } else {
            writeln!(out, "{account}\t{}", record.hub_user.escape_debug())
        }
        .map_err(HubError::Print)?;
    }
    Ok(())
}
