//! The two directions of a connection after a change of protocol, as for WebSocket.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop::consume_budget;

use crate::routes::Route;

thread_local! {
    /// What was read and is written at once. One for each thread: an idle connection holds none.
    pub static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; 1 << 16].into());
}

/// What is needed of a socket, over whatever it comes.
pub trait Socket: AsFd {
    /// Waits until it is ready for this.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
    /// Reads what is there.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes what goes without waiting.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

macro_rules! socket {
    ($stream:ty) => {
        impl Socket for $stream {
            fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
                self.ready(interest)
            }

            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.try_read(buffer)
            }

            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.try_write(bytes)
            }
        }
    };
}
socket!(TcpStream);
socket!(UnixStream);

/// Passes bytes both ways until both sides have ended, or one broke. The end of one side is passed on, and leaves the
/// other open. `from_client` and `from_backend` were read already. What passes counts as activity of the route.
pub async fn relay(
    (client, from_client): (impl Socket, Bytes),
    (backend, from_backend): (TcpStream, Bytes),
    route: &Route,
) {
    // An error is the end, whoever caused it: both sockets are closed with this future.
    tokio::select! {
        _ = async {
            tokio::try_join!(
                pass(&client, &backend, from_client, route),
                pass(&backend, &client, from_backend, route),
            )
        } => {}
        // A side that has ended, and then vanishes, shows it in no other way while the other one is silent.
        _ = client.ready(Interest::ERROR) => {}
        _ = backend.ready(Interest::ERROR) => {}
    }
}

async fn pass(from: &impl Socket, to: &impl Socket, first: Bytes, route: &Route) -> io::Result<()> {
    write_all(to, &first).await?;
    drop(first);
    loop {
        from.ready(Interest::READABLE).await?;
        match pass_ready(from, to) {
            Ok(None) => break,
            Ok(Some(unwritten)) => {
                route.touch();
                write_all(to, &unwritten).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        consume_budget().await;
    }
    SockRef::from(to).shutdown(Shutdown::Write)?;
    Ok(())
}

/// Reads what is there and writes as much of it as goes without waiting; gives what is left, `None` at the end.
fn pass_ready(from: &impl Socket, to: &impl Socket) -> io::Result<Option<Vec<u8>>> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = from.try_read(buffer)?;
        let read = buffer.get(..read).unwrap_or_default();
        if read.is_empty() {
            return Ok(None);
        }
        let written = match to.try_write(read) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        Ok(Some(read.get(written..).unwrap_or_default().to_vec()))
    })
}

async fn write_all(to: &impl Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.ready(Interest::WRITABLE).await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
