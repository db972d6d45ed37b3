//! Which process holds a TCP port.

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDTarget, all_processes};

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name as in `ps`.
    pub name: String,
    /// Its process number.
    pub pid: i32,
    /// The systemd service that it belongs to, such as `nginx.service`.
    pub service: Option<String>,
}

/// The process that listens on `port`; `None` if nobody does, or `/proc` does not tell (another user's
/// process, without root). systemd, which keeps sockets for services, is not meant by this.
pub fn holder(port: u16) -> Option<Holder> {
    let sockets: Vec<u64> = tcp()
        .into_iter()
        .flatten()
        .chain(tcp6().into_iter().flatten())
        .filter(|entry| entry.state == TcpState::Listen && entry.local_address.port() == port)
        .map(|entry| entry.inode)
        .collect();
    let processes = all_processes().ok()?.flatten();
    processes.filter(|process| process.pid != 1).find_map(|process| {
        let holds = process
            .fd()
            .ok()?
            .flatten()
            .any(|descriptor| matches!(descriptor.target, FDTarget::Socket(inode) if sockets.contains(&inode)));
        if !holds {
            return None;
        }
        let service = process.cgroups().ok().and_then(|groups| {
            groups.into_iter().find_map(|group| {
                let last = group.pathname.rsplit('/').next()?.to_string();
                last.ends_with(".service").then_some(last)
            })
        });
        Some(Holder { name: process.stat().ok()?.comm, pid: process.pid, service })
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn the_process_that_listens_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(port).unwrap().pid, std::process::id().cast_signed());
        drop(listener);
        assert_eq!(holder(port), None);
    }
}
