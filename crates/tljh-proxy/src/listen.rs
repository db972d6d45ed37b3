//! The listening sockets, bound before anything else so that a busy port is a clear error.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use procfs::net::TcpState;
use socket2::{SockRef, TcpKeepalive};

use crate::error::Error;

/// Bytes of a request's head, at most. The cookies of JupyterHub and its services are many; nginx allows half of this.
pub const MAX_HEAD: usize = 1 << 16;
/// Headers of a request, at most.
pub const MAX_HEADERS: usize = 200;

/// Binds the public port on `address`, or on every address, IPv4 and IPv6, if it is empty.
///
/// # Errors
/// The address is not an IP address, or cannot be bound.
pub fn bind_public(address: &str, port: u16) -> Result<TcpListener, Error> {
    if !address.is_empty() {
        let address: IpAddr = address.parse().map_err(|source| Error::ListenAddress {
            address: address.into(),
            source,
        })?;
        return bind(SocketAddr::new(address, port));
    }
    // The IPv6 wildcard takes IPv4 as well, unless IPv6 is switched off on this machine.
    let every = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    match bind(every) {
        Err(Error::Listen { source, .. }) if source.kind() != io::ErrorKind::PermissionDenied => {
            bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
        }
        bound => bound,
    }
}

/// Binds the port of the REST API.
///
/// # Errors
/// The address cannot be bound.
pub fn bind_api(address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    bind(SocketAddr::new(address, port))
}

fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let socket = TcpListener::bind(address).map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            Error::PortHeld {
                address,
                holder: describe_holder(address.port()),
                source,
            }
        } else {
            Error::Listen { address, source }
        }
    })?;
    // A blocking accept would hold a thread for ever. What is accepted inherits the other options on Linux.
    socket
        .set_nonblocking(true)
        .and_then(|()| set_tcp_options(&socket))
        .map_err(|source| Error::Listen { address, source })?;
    Ok(socket)
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

/// Who listens on `port`, as far as this user may see in /proc.
fn describe_holder(port: u16) -> String {
    let listening = procfs::net::tcp()
        .into_iter()
        .chain(procfs::net::tcp6())
        .flatten()
        .find(|entry| entry.state == TcpState::Listen && entry.local_address.port() == port);
    let Some(entry) = listening else {
        return "another program".into();
    };
    let holder = procfs::process::all_processes().ok().and_then(|all| {
        all.filter_map(Result::ok).find_map(|process| {
            let mut files = process.fd().ok()?;
            let holds = files.any(|file| {
                matches!(file, Ok(file) if matches!(file.target, procfs::process::FDTarget::Socket(inode) if inode == entry.inode))
            });
            if holds { Some(format!("`{}` (process {})", process.stat().ok()?.comm, process.pid)) } else { None }
        })
    });
    holder.unwrap_or_else(|| format!("a program of user {}", entry.uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_names_the_program_that_holds_it() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let error = bind_public("127.0.0.1", port).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(
            error.contains(&format!("(process {})", std::process::id())),
            "{error}"
        );
    }
}
