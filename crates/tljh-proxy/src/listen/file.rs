//! A listening socket with a place in the file system, for another proxy on this machine.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, chownat, fstat, open};
use rustix::io::Errno;
use serde::Deserialize;
use socket2::{Domain, SockAddr, Socket, Type};

use super::BACKLOG;
use crate::error::Error;

/// Where it is, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SocketFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Group whose processes may connect; empty for nobody but the owner, who opens it.
    pub group: String,
}

impl SocketFile {
    /// Whether the file is there, which then has its group and mode again: these may be others than when it was made.
    ///
    /// # Errors
    /// There is no such group, or this user may not give them.
    pub fn ensure_reachable(&self) -> Result<bool, Error> {
        let group = self.group_id()?;
        if !is_socket(&self.path) {
            return Ok(false);
        }
        self.set_access(group)
            .map_err(|source| self.failed(source))?;
        Ok(true)
    }

    /// Listens on it. What an ended process has left there is replaced.
    ///
    /// # Errors
    /// Another process listens there, something else than a socket is there, there is no such group, or this user may
    /// not do that.
    pub fn bind(&self) -> Result<OwnedFd, Error> {
        let group = self.group_id()?;
        ensure_unused(&self.path)
            .and_then(|()| self.open(group))
            .map_err(|source| self.failed(source))
    }

    fn open(&self, group: Option<u32>) -> io::Result<OwnedFd> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(&self.path)?)?;
        // Nobody can connect before it listens.
        self.set_access(group)?;
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    /// As root in a folder that may be another user's, who could put a link to any file there at any moment: what is
    /// changed is what was opened, and only if it is a socket.
    fn set_access(&self, group: Option<u32>) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = open(&self.path, flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Socket {
            return Err(Errno::NOTSOCK.into());
        }
        chownat(
            &found,
            "",
            None,
            group.map(Gid::from_raw),
            AtFlags::EMPTY_PATH,
        )?;
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        let path = format!("/proc/self/fd/{}", found.as_raw_fd());
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::SocketFile {
            path: self.path.clone(),
            source,
        }
    }

    fn group_id(&self) -> Result<Option<u32>, Error> {
        if self.group.is_empty() {
            return Ok(None);
        }
        match Group::from_name(&self.group) {
            Ok(Some(group)) => Ok(Some(group.gid.as_raw())),
            found => Err(Error::SocketGroup {
                group: self.group.clone(),
                source: found.err().map(io::Error::from),
            }),
        }
    }
}

/// Takes away what an ended process has left.
fn ensure_unused(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !is_socket(path) {
        return Err(Errno::EXIST.into());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(Errno::ADDRINUSE.into()),
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use tljh_terminal::Hinted as _;

    fn file(folder: &tempfile::TempDir, group: &str) -> SocketFile {
        SocketFile {
            path: folder.path().join("http.sock"),
            group: group.into(),
        }
    }

    fn own_group() -> String {
        Group::from_gid(nix::unistd::getegid())
            .unwrap()
            .unwrap()
            .name
    }

    #[test]
    fn the_group_alone_may_connect() {
        let folder = tempfile::tempdir().unwrap();
        for (group, expected) in [(own_group(), 0o660), (String::new(), 0o600)] {
            let file = file(&folder, &group);
            let mode = || fs::metadata(&file.path).unwrap().permissions().mode() & 0o777;
            let _socket = file.bind().unwrap();
            assert_eq!(mode(), expected, "{group}");
            UnixStream::connect(&file.path).unwrap();
            fs::set_permissions(&file.path, Permissions::from_mode(0o666)).unwrap();
            assert!(file.ensure_reachable().unwrap());
            assert_eq!(mode(), expected, "{group}");
            fs::remove_file(&file.path).unwrap();
            assert!(!file.ensure_reachable().unwrap());
        }
    }

    #[test]
    fn what_an_ended_process_has_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder, "");
        drop(UnixListener::bind(&file.path).unwrap());
        let used = file.bind().unwrap();
        let text = tljh_terminal::render_error(&file.bind().unwrap_err(), None);
        assert!(
            text.contains("http.sock") && text.contains("in use"),
            "{text}"
        );
        drop(used);
        fs::remove_file(&file.path).unwrap();
        fs::write(&file.path, "precious").unwrap();
        file.bind().unwrap_err();
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "precious");
    }

    #[test]
    fn the_target_of_a_link_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (
            file(&folder, &own_group()),
            folder.path().join("other.sock"),
        );
        let _other = UnixListener::bind(&other).unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&other, &file.path).unwrap();
        assert!(!file.ensure_reachable().unwrap());
        file.set_access(None).unwrap_err();
        file.bind().unwrap_err();
        let mode = fs::metadata(&other).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixStream::connect(&other).unwrap();
    }

    #[test]
    fn a_group_that_is_none_is_named_with_the_command_that_chooses_another() {
        let folder = tempfile::tempdir().unwrap();
        let error = file(&folder, "no-such-group").bind().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no group `no-such-group`, which is to use the socket"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("tljh-config set http.socket_group")
        );
        assert!(!file(&folder, "").path.exists());
    }
}
