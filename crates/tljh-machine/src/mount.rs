//! Mounts in the mount namespace of this process.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount_bind, mount_remount};

use crate::files::{FileError, failed};
use crate::paths::Paths;

/// Whether this process has a mount namespace of its own, as services of systemd with a `/tmp` of their own do: nobody
/// outside sees what is mounted here. False where that cannot be found out.
pub fn is_private(paths: &Paths) -> bool {
    let namespace =
        |process: &str| fs::read_link(paths.root().join("proc").join(process).join("ns/mnt")).ok();
    match (namespace("self"), namespace("1")) {
        (Some(own), Some(first)) => own != first,
        _ => false,
    }
}

/// Has everybody in this mount namespace see the folder `source` at `target`, where nobody can write to it.
///
/// # Errors
/// The mount is refused: the process has no CAP_SYS_ADMIN, or the container that it runs in forbids mounts.
pub fn bind_read_only(source: &Path, target: &Path) -> Result<(), FileError> {
    mount_bind(source, target)
        .map_err(std::io::Error::from)
        .map_err(failed("mount", target))?;
    // What a container inherits keeps flags that it may not change: then the mount is as writable as its source.
    if let Err(error) = mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, "") {
        log::debug!("`{}` stays writable: {error}", target.display());
    }
    Ok(())
}
