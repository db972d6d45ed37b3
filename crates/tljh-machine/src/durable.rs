//! Files and folders that are copied and exchanged so that a crash leaves the old or the new one, whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sha2::{Digest as _, Sha256};

use crate::files::{FileError, failed, folder_of, sync_folder};

/// Copies the file `source` to `target`, which must be absent, with `mode`, and has it written to the disk.
///
/// # Errors
/// One of them cannot be read or written.
pub fn copy(source: &Path, target: &Path, mode: u32) -> Result<(), FileError> {
    let mut from = File::open(source).map_err(failed("read", source))?;
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(target)
        .map_err(failed("write", target))?;
    io::copy(&mut from, &mut to)
        .and_then(|_| to.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| to.sync_all())
        .map_err(failed("write", target))
}

/// Moves `source` to `target`, taking the place of a file there, at once (rename(2)).
///
/// # Errors
/// It cannot be moved; `target` is then as it was.
pub fn replace(source: &Path, target: &Path) -> Result<(), FileError> {
    fs::rename(source, target).map_err(failed("replace", target))?;
    sync_folder(folder_of(target))
}

/// Exchanges two files or folders at once (renameat2(2), RENAME_EXCHANGE).
///
/// # Errors
/// One of them is absent, or the file system cannot do this; both are then where they were.
pub fn exchange(one: &Path, other: &Path) -> Result<(), FileError> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
        .map_err(|errno| failed("replace", other)(errno.into()))?;
    for changed in [one, other] {
        sync_folder(folder_of(changed))?;
    }
    Ok(())
}

/// Has the entries of `folder` and of all folders in it written to the disk.
///
/// # Errors
/// One of them cannot be read.
pub fn sync_folders(folder: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// SHA-256 of a file's content, in hexadecimal digits, and its length in bytes.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<(String, u64), FileError> {
    let mut file = File::open(path).map_err(failed("read", path))?;
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(failed("read", path))?;
        if read == 0 {
            break;
        }
        hash.update(piece.get(..read).unwrap_or_default());
        length += read as u64;
    }
    let digits = hash
        .finalize()
        .into_iter()
        .map(|byte| format!("{byte:02x}"));
    Ok((digits.collect(), length))
}

/// Bytes that root may still write to the file system of `path`.
///
/// # Errors
/// It cannot be asked.
pub fn free_space(path: &Path) -> Result<u64, FileError> {
    let found = rustix::fs::statvfs(path).map_err(|errno| failed("read", path)(errno.into()))?;
    Ok(found.f_bfree.saturating_mul(found.f_frsize))
}

/// An error that says that `path` cannot be written, for the disk is full.
pub fn disk_full(path: &Path) -> FileError {
    failed("write", path)(io::ErrorKind::StorageFull.into())
}

/// Writes `content` to the file `path`, which must be absent, and has it written to the disk.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_content_the_mode_asked_for_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "content").unwrap();
        copy(&one, &two, 0o600).unwrap();
        assert_eq!(digest(&one).unwrap(), digest(&two).unwrap());
        assert_eq!(digest(&two).unwrap().1, 7);
        assert_eq!(two.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(copy(&one, &two, 0o600).is_err());
        assert!(write_new(&two, b"", 0o600).is_err());
    }

    #[test]
    fn folders_are_exchanged_or_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::create_dir(&one).unwrap();
        fs::write(one.join("file"), "one").unwrap();
        assert!(exchange(&one, &two).is_err());
        fs::create_dir(&two).unwrap();
        exchange(&one, &two).unwrap();
        assert!(two.join("file").exists() && !one.join("file").exists());
        sync_folders(folder.path()).unwrap();
        assert!(free_space(folder.path()).unwrap() > 0);
    }
}
