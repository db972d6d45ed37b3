//! What generations share with each other, and with the members of `jupyterhub-admins`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid};
use tljh_machine::{Invocation, Runner, files};

use crate::error::UserEnvError;

/// Members change the environment without sudo.
const ADMINS_GROUP: &str = "jupyterhub-admins";
/// Settings, which editors and Jupyter's own commands write where they stand; so do installers with programs, and conda
/// with its history.
const OWN: [&str; 5] = [
    "bin",
    "conda-meta",
    "etc",
    "share/jupyter/kernels",
    "share/jupyter/lab/settings",
];

/// Everything that is made below inherits the group (setgid) and the right of its members to write
/// (default ACL, whatever their umask).
pub fn ensure_shared_folder(runner: &dyn Runner, folder: &Path) -> Result<(), UserEnvError> {
    files::ensure_folder(folder, 0o755)?;
    let Some(group) = users::get_group_by_name(ADMINS_GROUP) else {
        return Ok(());
    };
    files::ensure_owner(folder, Uid::from_raw(0), Gid::from_raw(group.gid()))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o2775)).map_err(|source| {
        UserEnvError::FileSystem {
            path: folder.to_path_buf(),
            source,
        }
    })?;
    runner.run(
        &Invocation::new("setfacl")
            .args([
                "--default",
                "--modify",
                "user::rwx,group::rwx,other::r-x",
                "--",
            ])
            .arg(folder),
    )?;
    Ok(())
}

/// Installers put other files in the place of a package's files. What is written where it stands is each generation's
/// own: programs, settings, lists of paths.
pub fn may_share(path: &Path) -> bool {
    let is_path_list = path.extension().is_some_and(|extension| extension == "pth");
    let is_at_top = path.components().count() == 1;
    !is_path_list && !is_at_top && !OWN.iter().any(|own| path.starts_with(own))
}
