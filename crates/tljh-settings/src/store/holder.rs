//! Who holds the lock, for the one who waited in vain.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

/// The name and the number of the process that holds a lock on `file`, where the kernel tells.
///
/// Its arguments are left out: they may be secrets.
pub fn holder_of(file: &File) -> Option<String> {
    let inode = file.metadata().ok()?.ino();
    let locks = procfs::locks().ok()?;
    // Some kernels show another device number in this list than stat(2) does, so the inode decides.
    let pid = locks.iter().find(|lock| lock.inode == inode)?.pid?;
    let name = procfs::process::Process::new(pid).ok()?.stat().ok()?.comm;
    Some(format!("`{name}` (process {pid})"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Store;

    #[test]
    fn who_waits_in_vain_hears_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("config.yaml")).with_deadline(Duration::ZERO);
        let held = store.hold().unwrap();
        let error = store.hold().unwrap_err().to_string();
        let process = format!("(process {})", std::process::id());
        assert!(error.contains(&process), "{error}");
        drop(held);
    }
}
