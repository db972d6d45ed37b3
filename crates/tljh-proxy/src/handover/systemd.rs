//! systemd's store of the service's descriptors.

use std::collections::HashSet;
use std::env;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use procfs::net::{TcpState, UnixState};
use procfs::process::{FDTarget, Process};
use sd_notify::NotifyState;

use super::{Held, Name};
use crate::listen::Bound;

impl Held {
    /// What systemd kept for this process (sd_listen_fds_with_names(3)). Names that this version does not know are left
    /// alone.
    ///
    /// # Errors
    /// A descriptor is not what its name says.
    pub fn from_systemd() -> io::Result<Self> {
        // Read first: what comes next takes the environment variables away.
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut given = ListenFd::from_env();
        let mut held = Self::default();
        for (index, text) in names.split(':').enumerate().take(given.len()) {
            let Some(name) = Name::ALL.into_iter().find(|name| name.as_str() == text) else {
                continue;
            };
            let descriptor = match name {
                Name::Http | Name::Https | Name::Api => {
                    given.take_tcp_listener(index)?.map(OwnedFd::from)
                }
                Name::Socket => given.take_unix_listener(index)?.map(OwnedFd::from),
                // Opened once more, as this program makes no descriptor out of a number.
                Name::Settings => given
                    .take_raw_fd(index)?
                    .map(|number| File::open(format!("/proc/self/fd/{number}")))
                    .transpose()?
                    .map(OwnedFd::from),
            };
            if let Some(descriptor) = descriptor {
                held.insert(name, descriptor);
            }
        }
        Ok(held)
    }
}

/// Has systemd keep what is `new` in place of what it kept by the same names, and let go of what is not `wanted`. Nothing
/// happens where systemd has not started this process.
///
/// # Errors
/// systemd cannot be told.
pub fn keep(new: &Held, wanted: &[Name]) -> io::Result<()> {
    let is_new = |name| new.iter().any(|(other, _)| other == name);
    for name in Name::ALL {
        if is_new(name) || !wanted.contains(&name) {
            sd_notify::notify(&[
                NotifyState::FdStoreRemove,
                NotifyState::FdName(name.as_str()),
            ])?;
        }
    }
    for (name, descriptor) in new.iter() {
        sd_notify::notify_with_fds(
            &[NotifyState::FdStore, NotifyState::FdName(name.as_str())],
            &[descriptor],
        )?;
    }
    Ok(())
}

/// Where the service manager listens, for us or for others; none where this user may not see it.
pub fn held_by_manager() -> Vec<Bound> {
    let Ok(files) = Process::new(1).and_then(|manager| manager.fd()) else {
        return Vec::new();
    };
    let sockets: HashSet<u64> = files
        .filter_map(|file| match file.ok()?.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let ports = procfs::net::tcp()
        .into_iter()
        .chain(procfs::net::tcp6())
        .flatten()
        .filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode))
        .map(|entry| Bound::Port(entry.local_address));
    // Connected ones have another state.
    let files = procfs::net::unix()
        .into_iter()
        .flatten()
        .filter(|entry| entry.state == UnixState::UNCONNECTED && sockets.contains(&entry.inode))
        .filter_map(|entry| entry.path.map(Bound::File));
    ports.chain(files).collect()
}
