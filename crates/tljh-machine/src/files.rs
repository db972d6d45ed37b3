//! Files and folders with owner and mode, written atomically.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::{Gid, Uid};
use tempfile::NamedTempFile;
use tljh_terminal::{Hinted, Secret};

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".tljh-";

/// A file or folder could not be brought into the wanted state.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} `{}`", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Hinted for FileError {
    fn hint(&self) -> Option<String> {
        if self.is_permission_denied() {
            Some("run the same command with `sudo`".into())
        } else if self.is_disk_full() {
            Some("free some space (`df -h` shows where), then run the same command again".into())
        } else {
            None
        }
    }
}

impl FileError {
    /// Whether the file system is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }

    /// Whether another user, root as a rule, would have been allowed.
    pub fn is_permission_denied(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::PermissionDenied
    }

    /// Whether the file system cannot move this from one place to another, as an overlay cannot move folders of its
    /// lower layers, or cannot exchange two things.
    pub fn is_immovable(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::CrossesDevices
                | std::io::ErrorKind::InvalidInput
                | std::io::ErrorKind::Unsupported
        )
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

pub(crate) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_path_buf();
    move |source| FileError {
        action,
        path,
        source,
    }
}

/// Writes `content` to `path` so that a reader, or a crash, meets the old file or the new one, whole.
///
/// Temporary file in the same folder with `mode`, fsync, rename, fsync of the folder. The file belongs to
/// the caller.
///
/// # Errors
/// The step that failed; the old file is then as it was.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let file = write_beside(path, content, mode)?;
    file.as_file().sync_all().map_err(failed("write", path))?;
    put_in_place(file, path)?;
    sync_folder(folder_of(path))
}

/// As [`write_atomically`], but for a crash: for a file in a folder that counts only once its whole file system was
/// written to disk.
///
/// # Errors
/// The step that failed; the old file is then as it was.
pub fn write_unsynced(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    put_in_place(write_beside(path, content, mode)?, path)
}

fn write_beside(path: &Path, content: &[u8], mode: u32) -> Result<NamedTempFile, FileError> {
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder_of(path))
        .map_err(failed("write", path))?;
    // The builder's mode is cut by the umask.
    fs::set_permissions(file.path(), Permissions::from_mode(mode))
        .map_err(failed("write", path))?;
    file.write_all(content).map_err(failed("write", path))?;
    Ok(file)
}

fn put_in_place(file: NamedTempFile, path: &Path) -> Result<(), FileError> {
    let put = file.persist(path);
    put.map_err(|error| failed("write", path)(error.error))?;
    Ok(())
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Removes from `folder` what killed writers of [`write_atomically`] left there at least `age` ago. One that is at work
/// for less time than that is not disturbed.
///
/// # Errors
/// The folder cannot be read, or a file not be removed.
pub fn ensure_no_leftovers(folder: &Path, age: Duration) -> Result<(), FileError> {
    for path in list_folder(folder)? {
        let is_unfinished = path
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(UNFINISHED.as_bytes()));
        let changed = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        let is_old = |time: SystemTime| time.elapsed().is_ok_and(|elapsed| elapsed >= age);
        if is_unfinished && changed.is_ok_and(is_old) {
            ensure_absent(&path)?;
        }
    }
    Ok(())
}

/// Makes the folder `path` (parents too) if absent, and gives it `mode`.
///
/// # Errors
/// It cannot be made, or something else stands there.
pub fn ensure_folder(path: &Path, mode: u32) -> Result<(), FileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(failed("make", path))?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of", path))
}

/// Gives `path` an owner; a link is not followed.
///
/// # Errors
/// The owner cannot be changed.
pub fn ensure_owner(path: &Path, uid: Uid, gid: Gid) -> Result<(), FileError> {
    std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))
        .map_err(failed("change the owner of", path))
}

/// Makes `path` a link to `target`, replacing a link that points elsewhere and nothing else.
///
/// # Errors
/// Something that is not a link stands there, or it cannot be made.
pub fn ensure_link(path: &Path, target: &Path) -> Result<(), FileError> {
    match fs::read_link(path) {
        Ok(current) if current == target => return Ok(()),
        Ok(_) => fs::remove_file(path).map_err(failed("replace", path))?,
        Err(_) => {}
    }
    symlink(target, path).map_err(failed("make", path))
}

/// Makes `path` a link to `target` by one rename, whatever link stood there: who looks meets the old one or the new one.
///
/// # Errors
/// Something that is not a link stands there, or it cannot be made.
pub fn switch_link(path: &Path, target: &Path) -> Result<(), FileError> {
    if path
        .symlink_metadata()
        .is_ok_and(|found| !found.is_symlink())
    {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(failed("replace", path)(source));
    }
    let folder = folder_of(path);
    let new = link_beside(path);
    ensure_absent(&new)?;
    symlink(target, &new).map_err(failed("make", &new))?;
    fs::rename(&new, path).map_err(failed("replace", path))?;
    sync_folder(folder)
}

/// Moves the folder `path` to `target`, which must be absent, and leaves a link to `link` in its place, at once: who
/// looks at `path` finds the folder's contents before, meanwhile and after (renameat2(2), RENAME_EXCHANGE).
///
/// # Errors
/// The file system cannot do this, or `target` exists; the folder is then where it was.
pub fn move_behind_link(path: &Path, target: &Path, link: &Path) -> Result<(), FileError> {
    symlink(link, target).map_err(failed("make", target))?;
    renameat2(
        AT_FDCWD,
        path,
        AT_FDCWD,
        target,
        RenameFlags::RENAME_EXCHANGE,
    )
    .map_err(|errno| {
        let _ = fs::remove_file(target);
        failed("move", path)(errno.into())
    })?;
    for changed in [path, target] {
        sync_folder(folder_of(changed))?;
    }
    Ok(())
}

/// Where [`switch_link`] makes the new link.
fn link_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("write", folder))
}

/// Gives the file or folder `path` the name `target`, in one step.
///
/// # Errors
/// It cannot be moved there.
pub fn rename(path: &Path, target: &Path) -> Result<(), FileError> {
    fs::rename(path, target).map_err(failed("rename", path))
}

/// Removes a file; absent is fine.
///
/// # Errors
/// It exists and cannot be removed.
pub fn ensure_absent(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all that is in it; absent is fine, and links are not followed.
///
/// # Errors
/// It exists and cannot be removed.
pub fn ensure_tree_absent(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Reads a text file; `None` where there is none.
///
/// # Errors
/// It exists and cannot be read.
pub fn read_optional(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Reads a text file.
///
/// # Errors
/// It is absent or cannot be read.
pub fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(failed("read", path))
}

/// The entries of a folder, sorted.
///
/// # Errors
/// It cannot be read.
pub fn list_folder(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut entries = fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(failed("read", path))?;
    entries.sort();
    Ok(entries)
}

/// `length` random bytes from the kernel, as lower-case hexadecimal digits.
///
/// # Errors
/// `/dev/urandom` cannot be read.
pub fn random_hex(length: usize) -> Result<Secret, FileError> {
    use std::io::Read;
    let path = Path::new("/dev/urandom");
    let mut bytes = vec![0; length];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(failed("read", path))?;
    Ok(Secret::new(
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    ))
}

/// The secret in `path`, mode 0600; made of 32 random bytes if the file is absent or empty.
///
/// # Errors
/// It can be neither read nor written.
pub fn ensure_secret(path: &Path) -> Result<Secret, FileError> {
    if let Some(text) = read_optional(path)?.filter(|text| !text.trim().is_empty()) {
        return Ok(Secret::new(text.trim()));
    }
    let secret = random_hex(32)?;
    write_atomically(path, format!("{}\n", secret.expose()).as_bytes(), 0o600)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_content_and_mode_and_leaves_no_other_file() {
        for write in [write_atomically, write_unsynced] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            write(&path, b"one", 0o644).unwrap();
            let other = folder.path().join("shared");
            fs::hard_link(&path, &other).unwrap();
            write(&path, b"two", 0o600).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            assert_eq!(fs::read(&other).unwrap(), b"one");
            assert_eq!(list_folder(folder.path()).unwrap(), [path, other]);
        }
    }

    #[test]
    fn what_killed_writers_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tljh-left"), "").unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        ensure_no_leftovers(folder.path(), Duration::from_secs(3600)).unwrap();
        assert_eq!(list_folder(folder.path()).unwrap().len(), 2);
        ensure_no_leftovers(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(
            list_folder(folder.path()).unwrap(),
            [folder.path().join("file")]
        );
    }

    #[test]
    fn a_secret_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let first = ensure_secret(&path).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert_eq!(ensure_secret(&path).unwrap(), first);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_folder_moves_behind_a_link_and_the_link_is_switched_in_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let (path, one) = (folder.path().join("user"), folder.path().join("1"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "kept").unwrap();
        assert!(switch_link(&path, Path::new("2")).is_err());
        move_behind_link(&path, &one, Path::new("1")).unwrap();
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "kept");
        assert!(one.symlink_metadata().unwrap().is_dir());
        // What a killed switch left is no hindrance.
        symlink("stale", link_beside(&path)).unwrap();
        switch_link(&path, Path::new("2")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("2"));
        assert_eq!(list_folder(folder.path()).unwrap(), [one, path]);
    }

    #[test]
    fn a_link_is_replaced_and_a_file_never_is() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        ensure_link(&link, Path::new("/a")).unwrap();
        ensure_link(&link, Path::new("/b")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/b"));
        let file = folder.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(ensure_link(&file, Path::new("/a")).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
