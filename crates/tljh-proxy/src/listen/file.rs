//! A listening socket with a place in the file system, for another proxy on this machine.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::unistd::Group;
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

    fn set_access(&self, group: Option<u32>) -> io::Result<()> {
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        chown(&self.path, None, group)?;
        fs::set_permissions(&self.path, Permissions::from_mode(mode))
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
        return Err(rustix::io::Errno::EXIST.into());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(rustix::io::Errno::ADDRINUSE.into()),
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
