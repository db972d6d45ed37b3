//! The listening sockets, bound before anything else so that a busy port is a clear error.

mod file;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use procfs::net::TcpState;
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::error::Error;
pub use file::SocketFile;

/// Bytes of a request's head, at most; each header of HTTP/2 counts 32 more (RFC 9113, section 6.5.2). The cookies of
/// JupyterHub and its services are many; nginx allows half of this.
pub const MAX_HEAD: usize = 1 << 16;
/// Headers of a request, at most.
pub const MAX_HEADERS: usize = 200;

/// How many connections wait to be accepted, at most: while the proxy starts again, that is everybody's.
const BACKLOG: i32 = 4096;

/// What is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A TCP port.
    Port(Address),
    /// A socket of the file system.
    File(SocketFile),
}

/// Where a socket is bound; one process of the proxy tells another so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// At a TCP port.
    Port(SocketAddr),
    /// At this path.
    File(PathBuf),
}

impl Place {
    /// Whether a socket that is `bound` there is one for this place.
    pub fn fits(&self, bound: &Bound) -> bool {
        match (self, bound) {
            (Self::Port(address), Bound::Port(bound)) => address.fits(*bound),
            (Self::File(file), Bound::File(path)) => file.path == *path,
            _ => false,
        }
    }

    /// Whether a socket that is open for this place can be reached by those whom it is for. To be asked as root.
    ///
    /// # Errors
    /// As [`SocketFile::ensure_reachable`].
    pub fn ensure_reachable(&self) -> Result<bool, Error> {
        match self {
            Self::Port(_) => Ok(true),
            Self::File(file) => file.ensure_reachable(),
        }
    }

    /// Listens on it.
    ///
    /// # Errors
    /// As [`Address::bind`] and [`SocketFile::bind`].
    pub fn bind(&self) -> Result<OwnedFd, Error> {
        match self {
            Self::Port(address) => address.bind().map(OwnedFd::from),
            Self::File(file) => file.bind(),
        }
    }
}

/// A TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// None for every address, IPv4 and IPv6.
    ip: Option<IpAddr>,
    port: u16,
}

impl Address {
    /// The public `port` on `address`, or on every address if it is empty.
    ///
    /// # Errors
    /// The address is not an IP address.
    pub fn public(address: &str, port: u16) -> Result<Self, Error> {
        let ip = (!address.is_empty()).then(|| address.parse()).transpose();
        let ip = ip.map_err(|source| Error::ListenAddress {
            address: address.into(),
            source,
        })?;
        Ok(Self { ip, port })
    }

    /// The `port` on one address.
    pub fn one(ip: IpAddr, port: u16) -> Self {
        Self { ip: Some(ip), port }
    }

    /// The IPv6 wildcard takes IPv4 as well, unless IPv6 is switched off on this machine.
    fn candidates(self) -> impl Iterator<Item = SocketAddr> {
        let every = [
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        ];
        let ips = self.ip.map_or(every.to_vec(), |ip| vec![ip]);
        ips.into_iter()
            .map(move |ip| SocketAddr::new(ip, self.port))
    }

    /// Whether a socket at `bound` is one for this address.
    pub fn fits(self, bound: SocketAddr) -> bool {
        self.candidates().any(|candidate| candidate == bound)
    }

    /// Listens on it.
    ///
    /// # Errors
    /// Another program listens there, the port is below 1024 and this user is not root, or the machine has no such
    /// address.
    pub fn bind(self) -> Result<TcpListener, Error> {
        let mut failure = None;
        for address in self.candidates() {
            match bind(address) {
                Ok(socket) => return Ok(socket),
                Err(source) => failure = failure.or(Some((address, source))),
            }
        }
        let (address, source) = failure.unwrap_or_else(|| {
            let ip = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            (
                SocketAddr::new(ip, self.port),
                io::ErrorKind::NotFound.into(),
            )
        });
        let is_held = matches!(
            source.kind(),
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
        );
        Err(match holder_of(address.port()).filter(|_| is_held) {
            Some(holder) => Error::PortHeld {
                address,
                holder,
                source,
            },
            None => Error::Listen { address, source },
        })
    }
}

/// The sockets of this user may share a port, so that one on another address of it can be had while there still is the
/// one before. Programs of others may not.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    // A blocking accept would hold a thread for ever. What is accepted inherits the other options on Linux.
    socket.set_nonblocking(true)?;
    set_tcp_options(&socket)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sends small writes at once, and has peers found that are gone without a word: after a minute of silence come four
/// probes, a quarter of a minute apart.
///
/// # Errors
/// The descriptor is no TCP socket.
pub fn set_tcp_options(socket: &impl AsFd) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)
}

/// Who listens on `port`, as far as this user may see in /proc; nobody, where nobody does.
fn holder_of(port: u16) -> Option<String> {
    let entry = procfs::net::tcp()
        .into_iter()
        .chain(procfs::net::tcp6())
        .flatten()
        .find(|entry| entry.state == TcpState::Listen && entry.local_address.port() == port)?;
    let holder = procfs::process::all_processes().ok().and_then(|all| {
        all.filter_map(Result::ok).find_map(|process| {
            let mut files = process.fd().ok()?;
            let holds = files.any(|file| {
                matches!(file, Ok(file) if matches!(file.target, procfs::process::FDTarget::Socket(inode) if inode == entry.inode))
            });
            if holds { Some(format!("`{}` (process {})", process.stat().ok()?.comm, process.pid)) } else { None }
        })
    });
    Some(holder.unwrap_or_else(|| format!("a program of user {}", entry.uid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_names_the_program_that_holds_it() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let address = Address::public("127.0.0.1", port).unwrap();
        let error = address.bind().unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(
            error.contains(&format!("(process {})", std::process::id())),
            "{error}"
        );
    }

    #[test]
    fn one_s_own_socket_does_not_keep_another_address_of_its_port_away() {
        let one = Address::one(Ipv4Addr::LOCALHOST.into(), 0).bind().unwrap();
        let bound = one.local_addr().unwrap();
        let every = Address::public("", bound.port()).unwrap();
        assert!(!every.fits(bound));
        let every_bound = every.bind().unwrap().local_addr().unwrap();
        assert!(every.fits(every_bound));
        assert!(every_bound.ip().is_unspecified());
    }
}
