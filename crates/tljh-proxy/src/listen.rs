//! The listening sockets, bound before anything else so that a busy port is a clear error.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use procfs::net::TcpState;

use crate::error::Error;

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
    // A blocking accept would hold one of tokio's threads for ever.
    socket
        .set_nonblocking(true)
        .map_err(|source| Error::Listen { address, source })?;
    Ok(socket)
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
