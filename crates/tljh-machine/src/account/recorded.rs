//! Accounts that upstream's TLJH made, and that are ours from now on.

use std::collections::BTreeSet;
use std::path::Path;

use users::os::unix::{GroupExt, UserExt};

use super::ensure::USERS_GROUP;
use super::name::AccountName;
use crate::registry::{Record, Registry, RegistryError};

/// The first number of a person's account (login.defs(5)).
const FIRST_UID: u32 = 1000;

/// What became of the account of a hub user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded as ours.
    Ours(String),
    /// There is none: it is made at the first start of a server.
    None,
    /// It is not as upstream makes one, and is not touched.
    Foreign(String),
}

/// Records the account of the hub user `name`, with those of `groups` that it is in. Nothing of the account changes.
///
/// # Errors
/// The record cannot be written.
pub fn record_account(
    registry: &Registry,
    name: &str,
    groups: &BTreeSet<String>,
) -> Result<Recorded, RegistryError> {
    let account = AccountName::for_hub_user(name);
    let Some(user) = users::get_user_by_name(account.as_str()) else {
        return Ok(Recorded::None);
    };
    let home = Path::new("/home").join(account.as_str());
    if user.uid() < FIRST_UID || user.home_dir() != home {
        return Ok(Recorded::Foreign(account.to_string()));
    }
    let is_in = |group: &&String| members(group).iter().any(|one| one == account.as_str());
    let record = Record {
        uid: Some(user.uid()),
        groups: groups.iter().filter(is_in).cloned().collect(),
        ..Record::new(name)
    };
    registry.write(&account, &record)?;
    Ok(Recorded::Ours(account.to_string()))
}

/// The accounts in the group that upstream puts each hub user into.
pub fn upstreams_accounts() -> Vec<String> {
    members(USERS_GROUP)
}

fn members(group: &str) -> Vec<String> {
    let group = users::get_group_by_name(group);
    let members = group.map(|group| group.members().to_vec());
    members
        .unwrap_or_default()
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
