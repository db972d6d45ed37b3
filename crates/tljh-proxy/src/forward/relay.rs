//! The two directions of a connection after a change of protocol, as for WebSocket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::pin;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::routes::Route;
use crate::seldom::Seldom;
use crate::socket::Socket;

thread_local! {
    /// What was read and is written at once. One for each thread: an idle connection holds none.
    pub static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; 1 << 16].into());
}

/// Passes bytes both ways until both sides have ended, or one broke. The end of one side is passed on, and leaves the
/// other open. `from_client` and `from_backend` were read already. What passes counts as activity of the route.
pub async fn relay(
    (client, from_client): (impl Socket, Bytes),
    (backend, from_backend): (TcpStream, Bytes),
    route: &Route,
) {
    // A side that has ended, and then vanishes, shows it in no other way while the other one is silent.
    let vanishing = pin!(async {
        tokio::select! {
            _ = client.ready(Interest::ERROR) => {}
            _ = backend.ready(Interest::ERROR) => {}
        }
    });
    // An error is the end, whoever caused it: both sockets are closed with this future.
    tokio::select! {
        biased;
        _ = async {
            tokio::try_join!(
                pass(&client, &backend, from_client, route),
                pass(&backend, &client, from_backend, route),
            )
        } => {}
        () = Seldom::new(vanishing) => {}
    }
}

async fn pass(from: &impl Socket, to: &impl Socket, first: Bytes, route: &Route) -> io::Result<()> {
    write_all(to, &first).await?;
    drop(first);
    loop {
        // Gives way to other tasks now and then.
        poll_fn(|cx| from.poll_read_ready(cx)).await?;
        match pass_ready(from, to) {
            Ok(None) => break,
            Ok(Some(unwritten)) => {
                route.touch();
                write_all(to, &unwritten).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
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
        poll_fn(|cx| to.poll_write_ready(cx)).await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
