//! Accepting connections.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, unix};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::metrics;

/// How long accepting rests when it fails, as without descriptors it does until one is closed.
const REST: Duration = Duration::from_millis(200);

/// A socket that listens.
pub trait Listener {
    /// A connection.
    type Stream;
    /// Where it comes from.
    type Address;
    /// Waits for a connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Self::Address)>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_accept(cx)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Address = unix::SocketAddr;

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream, unix::SocketAddr)>> {
        self.poll_accept(cx)
    }
}

/// Accepts connections for ever, while `open` is true, and hands each of them to `take`.
pub async fn accept<L: Listener>(
    socket: &L,
    mut open: watch::Receiver<bool>,
    mut take: impl FnMut(L::Stream, L::Address),
) {
    loop {
        // Ended only by the end of the process.
        let _ = open.wait_for(|open| *open).await;
        tokio::select! {
            accepted = poll_fn(|cx| socket.poll_accept(cx)) => match accepted {
                Ok((stream, address)) => take(stream, address),
                Err(error) => {
                    metrics::failed(Fault::Accept);
                    log::warn!(
                        TLJH_CAUSE = Fault::Accept.cause().as_str(),
                        TLJH_REASON = Fault::Accept.as_str();
                        "could not accept a connection: {error}"
                    );
                    sleep(REST).await;
                }
            },
            _ = open.wait_for(|open| !*open) => {}
        }
    }
}

/// Hands the connections that wait to be accepted to `take`, and waits for no other.
pub fn accept_waiting<L: Listener>(socket: &L, mut take: impl FnMut(L::Stream, L::Address)) {
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Ok((stream, address))) = socket.poll_accept(&mut context) {
        take(stream, address);
    }
}
