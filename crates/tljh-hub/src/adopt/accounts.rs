//! Linux accounts: those of hub users are ours from now on, and go when the package is purged; others are not touched.

use std::collections::{BTreeMap, BTreeSet};

use tljh_machine::account::{AccountName, Recorded, record_account, upstreams_accounts};
use tljh_machine::registry::Registry;
use tljh_machine::{Paths, Runner};
use tljh_settings::Settings;

use super::error::AdoptError;
use crate::database;

const PREFIX: &str = "jupyter-";

/// Records the accounts of all hub users, and of those who were hub users and may be again.
pub fn take(paths: &Paths, runner: &dyn Runner) -> Result<Vec<String>, AdoptError> {
    let names = match paths.hub_database().exists() {
        true => database::users(paths, runner, &paths.hub_database())?,
        false => Vec::new(),
    };
    let groups = Settings::load(&paths.config_yaml())
        .map(|settings| settings.users.extra_user_groups)
        .unwrap_or_default();
    let registry = Registry::open(paths)?;
    let (mut ours, mut told) = (BTreeSet::new(), Vec::new());
    for name in &names {
        match record_account(&registry, name, &given(&groups, name))? {
            Recorded::Ours(account) => {
                ours.insert(account);
            }
            Recorded::None => {}
            Recorded::Foreign(account) => told.push(format!(
                "the account `{account}` is not as upstream makes one and is not touched; its hub user gets no server"
            )),
        }
    }
    // Upstream keeps the account of a hub user who is deleted, for the one who is added again.
    for account in upstreams_accounts() {
        let Some(name) = account
            .strip_prefix(PREFIX)
            .filter(|_| !ours.contains(&account))
        else {
            continue;
        };
        let is_its_own = AccountName::for_hub_user(name).as_str() == account;
        if is_its_own
            && let Recorded::Ours(account) = record_account(&registry, name, &given(&groups, name))?
        {
            ours.insert(account);
        } else {
            told.push(format!(
                "the account `{account}` belongs to no hub user and stays as it is"
            ));
        }
    }
    told.insert(0, format!("{} accounts with their homes", ours.len()));
    Ok(told)
}

/// The groups of `users.extra_user_groups` to which a hub user belongs.
fn given(groups: &BTreeMap<String, Vec<String>>, name: &str) -> BTreeSet<String> {
    let has = |members: &[String]| members.iter().any(|member| member == name);
    groups
        .iter()
        .filter(|(_, members)| has(members))
        .map(|(group, _)| group.clone())
        .collect()
}
