//! Making an account and keeping its rights in step with the hub.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tljh_terminal::Hinted;
use users::os::unix::{GroupExt, UserExt};

use super::home::{ensure_home, is_kept_home};
use super::name::AccountName;
use crate::command::{CommandError, Invocation, Runner};
use crate::paths::Paths;
use crate::registry::{Record, Registry, RegistryError};

/// Group of every hub user.
pub const USERS_GROUP: &str = "jupyterhub-users";
/// Group of administrators, who have sudo and may change the user environment.
pub const ADMINS_GROUP: &str = "jupyterhub-admins";

/// What a hub user may do on the machine.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// Member of `jupyterhub-admins`.
    pub admin: bool,
    /// Further groups, from `users.extra_user_groups`.
    pub groups: BTreeSet<String>,
}

/// An account that is ready for a server.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Its name.
    pub account: String,
    /// Its user number.
    pub uid: u32,
    /// Its group number.
    pub gid: u32,
    /// Its home folder.
    pub home: PathBuf,
    /// Whether this call made it.
    pub created: bool,
}

/// Why a hub user cannot have an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// An account of that name exists and is not ours.
    #[error("the account `{account}` was not made by tljh and is not touched")]
    Foreign {
        /// The account.
        account: String,
    },
    /// A group of that name exists without an account.
    #[error("the group `{account}` was not made by tljh and is not touched")]
    ForeignGroup {
        /// The group.
        account: String,
    },
    /// Something stands where the home would be.
    #[error("the folder `{}` belongs to user number {uid} and is not given to `{account}`", home.display())]
    ForeignHome {
        /// The folder.
        home: PathBuf,
        /// Its owner.
        uid: u32,
        /// The account that would have got it.
        account: String,
    },
    /// Two hub users map to one account.
    #[error(
        "the account `{account}` belongs to the hub user `{other}`, so `{name}` cannot have it"
    )]
    Taken {
        /// The account.
        account: String,
        /// The hub user that has it.
        other: String,
        /// The hub user that asked.
        name: String,
    },
    /// A group of `users.extra_user_groups` does not exist.
    #[error("the group `{group}` of `users.extra_user_groups` does not exist")]
    NoSuchGroup {
        /// The group.
        group: String,
    },
    /// useradd reported success, yet the account cannot be looked up.
    #[error("the account `{account}` was made but cannot be looked up")]
    Vanished {
        /// The account.
        account: String,
    },
    /// A folder could not be read or given away.
    #[error("could not prepare the home `{}`", home.display())]
    Home {
        /// The folder.
        home: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// useradd, gpasswd or chown failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The registry of accounts could not be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Hinted for AccountError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { account } => Some(format!(
                "to free the name, run `sudo usermod --login other-name {account}`"
            )),
            Self::ForeignGroup { account } => {
                Some(format!("to free the name, run `sudo groupdel {account}`"))
            }
            Self::ForeignHome { home, .. } => Some(format!(
                "move it away: `sudo mv {0} {0}.old`",
                home.display()
            )),
            Self::Taken { .. } => Some("give the new person another hub name".into()),
            Self::NoSuchGroup { group } => Some(format!("run `sudo groupadd -- {group}`")),
            Self::Registry(error) => error.hint(),
            Self::Vanished { .. } | Self::Home { .. } | Self::Command(_) => None,
        }
    }
}

/// Makes the account of the hub user `name` unless it exists, and gives it exactly `rights`.
///
/// Safe to repeat and to interrupt: the account is recorded before it is made. Concurrent calls wait for
/// each other. A home that a purge kept (owned by root, 0700) is given back.
///
/// # Errors
/// See [`AccountError`]; nothing that belongs to somebody else is changed.
pub fn ensure_account(
    runner: &dyn Runner,
    paths: &Paths,
    name: &str,
    rights: &Rights,
) -> Result<Account, AccountError> {
    let account = AccountName::for_hub_user(name);
    let registry = Registry::open(paths)?;
    let recorded = registry.read(&account)?;
    let existing = users::get_user_by_name(account.as_str());

    if let Some(record) = recorded.as_ref().filter(|record| record.hub_user != name) {
        return Err(AccountError::Taken {
            account: account.to_string(),
            other: record.hub_user.clone(),
            name: name.to_string(),
        });
    }
    let created = existing.is_none();
    let mut record = match (recorded, &existing) {
        (Some(record), Some(user)) if record.uid.is_none_or(|uid| uid == user.uid()) => record,
        (_, Some(_)) => {
            return Err(AccountError::Foreign {
                account: account.to_string(),
            });
        }
        (recorded, None) => {
            let record = recorded.unwrap_or_else(|| Record::new(name));
            create(runner, paths, &registry, &account, &record)?;
            record
        }
    };
    let user = users::get_user_by_name(account.as_str()).ok_or_else(|| AccountError::Vanished {
        account: account.to_string(),
    })?;
    let home = paths
        .root()
        .join(user.home_dir().strip_prefix("/").unwrap_or(user.home_dir()));
    ensure_home(runner, &account, &home, user.uid(), user.primary_group_id())?;
    ensure_groups(runner, &account, rights, &record.groups)?;

    let wanted = Record {
        uid: Some(user.uid()),
        groups: rights.groups.clone(),
        ..record.clone()
    };
    if wanted != record {
        record = wanted;
        registry.write(&account, &record)?;
    }
    Ok(Account {
        account: account.to_string(),
        uid: user.uid(),
        gid: user.primary_group_id(),
        home: user.home_dir().to_path_buf(),
        created,
    })
}

fn create(
    runner: &dyn Runner,
    paths: &Paths,
    registry: &Registry,
    account: &AccountName,
    record: &Record,
) -> Result<(), AccountError> {
    // Left over from a useradd that was killed between its files: ours, as the record tells.
    let group_is_ours = registry.read(account)?.is_some();
    let group = users::get_group_by_name(account.as_str());
    if group.is_some() && !group_is_ours {
        return Err(AccountError::ForeignGroup {
            account: account.to_string(),
        });
    }
    let home = paths.homes().join(account.as_str());
    match fs::symlink_metadata(&home) {
        Ok(metadata) if !(is_kept_home(&metadata) || group_is_ours && metadata.uid() >= 1000) => {
            return Err(AccountError::ForeignHome {
                home,
                uid: metadata.uid(),
                account: account.to_string(),
            });
        }
        _ => {}
    }
    registry.write(
        account,
        &Record {
            uid: None,
            ..record.clone()
        },
    )?;
    log::info!(
        "making the account `{account}` for the hub user `{}`",
        record.hub_user.escape_debug()
    );
    let grouping = if group.is_some() {
        vec!["--gid", account.as_str()]
    } else {
        vec!["--user-group"]
    };
    runner.run(
        &Invocation::new("useradd")
            .args(["--no-create-home", "--home-dir"])
            .arg(Path::new("/home").join(account.as_str()))
            .args(["--shell", "/bin/bash", "--comment", "JupyterHub user"])
            .args(grouping)
            .args(["--", account.as_str()]),
    )?;
    Ok(())
}

/// Membership as wanted: groups that we gave and that are no longer wanted are taken away, groups that an
/// administrator of the machine gave by hand stay.
fn ensure_groups(
    runner: &dyn Runner,
    account: &AccountName,
    rights: &Rights,
    given_before: &BTreeSet<String>,
) -> Result<(), AccountError> {
    let mut wanted = rights.groups.clone();
    wanted.insert(USERS_GROUP.into());
    if rights.admin {
        wanted.insert(ADMINS_GROUP.into());
    }
    let mut unwanted: BTreeSet<String> = given_before.difference(&wanted).cloned().collect();
    if !wanted.contains(ADMINS_GROUP) {
        unwanted.insert(ADMINS_GROUP.into());
    }
    for group in wanted {
        match is_member(account, &group) {
            None => return Err(AccountError::NoSuchGroup { group }),
            Some(true) => {}
            Some(false) => change_membership(runner, "--add", account, &group)?,
        }
    }
    for group in unwanted {
        if is_member(account, &group) == Some(true) {
            change_membership(runner, "--delete", account, &group)?;
        }
    }
    Ok(())
}

/// `None` where there is no such group.
fn is_member(account: &AccountName, group: &str) -> Option<bool> {
    let group = users::get_group_by_name(group)?;
    Some(
        group
            .members()
            .iter()
            .any(|member| member.to_str() == Some(account.as_str())),
    )
}

fn change_membership(
    runner: &dyn Runner,
    change: &str,
    account: &AccountName,
    group: &str,
) -> Result<(), AccountError> {
    // The group exists, so its name is one that the system accepted.
    runner.run(&Invocation::new("gpasswd").args([change, account.as_str(), "--", group]))?;
    Ok(())
}
