//! Homes: made whole or not at all, and given back after a purge kept them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use super::ensure::AccountError;
use super::name::AccountName;
use crate::command::{Invocation, Runner};

/// A large kept home takes a while to be given back.
const CHOWN_DEADLINE: Duration = Duration::from_secs(600);

/// Whether a purge kept this home: it is root's and closed.
pub fn is_kept_home(metadata: &fs::Metadata) -> bool {
    metadata.is_dir() && metadata.uid() == 0 && metadata.permissions().mode() & 0o777 == 0o700
}

/// The home exists, 0700 and the user's own. One that the user opened to others later stays open.
pub fn ensure_home(
    runner: &dyn Runner,
    account: &AccountName,
    home: &Path,
    uid: u32,
    gid: u32,
) -> Result<(), AccountError> {
    match fs::symlink_metadata(home) {
        Ok(metadata) if metadata.is_dir() && metadata.uid() == uid => Ok(()),
        Ok(metadata) if is_kept_home(&metadata) => {
            log::info!("giving the home `{}` back to `{account}`", home.display());
            // The folder itself last: until then it is recognisable as a kept home, should this be killed.
            let owner = format!("{uid}:{gid}");
            runner.run(
                &Invocation::new("find")
                    .arg(home)
                    .args([
                        "-xdev",
                        "-mindepth",
                        "1",
                        "-exec",
                        "chown",
                        "--no-dereference",
                        &owner,
                        "{}",
                        "+",
                    ])
                    .deadline(CHOWN_DEADLINE),
            )?;
            runner.run(
                &Invocation::new("chown")
                    .args(["--no-dereference", &owner, "--"])
                    .arg(home),
            )?;
            Ok(())
        }
        Ok(metadata) => Err(AccountError::ForeignHome {
            home: home.to_path_buf(),
            uid: metadata.uid(),
            account: account.to_string(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            create_home(runner, home, uid, gid)
        }
        Err(source) => Err(AccountError::Home {
            home: home.to_path_buf(),
            source,
        }),
    }
}

/// Copies `/etc/skel` to a folder beside the home, then renames it: a home is whole or absent.
fn create_home(runner: &dyn Runner, home: &Path, uid: u32, gid: u32) -> Result<(), AccountError> {
    let failed = |source| AccountError::Home {
        home: home.to_path_buf(),
        source,
    };
    let parent = home.parent().unwrap_or(Path::new("/home"));
    fs::create_dir_all(parent).map_err(failed)?;
    // 0700 and root's from the start; removed again when anything below fails.
    let folder = tempfile::Builder::new()
        .prefix(".tljh-home-")
        .tempdir_in(parent)
        .map_err(failed)?;
    runner.run(
        &Invocation::new("cp")
            .args(["--archive", "--no-target-directory", "/etc/skel"])
            .arg(folder.path()),
    )?;
    runner.run(
        &Invocation::new("chmod")
            .args(["0700", "--"])
            .arg(folder.path()),
    )?;
    runner.run(
        &Invocation::new("chown")
            .args([
                "--recursive",
                "--no-dereference",
                &format!("{uid}:{gid}"),
                "--",
            ])
            .arg(folder.path()),
    )?;
    fs::rename(folder.path(), home).map_err(failed)?;
    let _ = folder.keep();
    Ok(())
}
