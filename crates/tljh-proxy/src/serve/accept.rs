//! Accepting connections.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::metrics;

/// How long accepting rests when it fails, as without descriptors it does until one is closed.
const REST: Duration = Duration::from_millis(200);

/// Accepts connections for ever, while `open` is true, and hands each of them to `take`.
pub async fn accept(
    socket: &TcpListener,
    mut open: watch::Receiver<bool>,
    mut take: impl FnMut(TcpStream, SocketAddr),
) {
    loop {
        // Ended only by the end of the process.
        let _ = open.wait_for(|open| *open).await;
        tokio::select! {
            accepted = socket.accept() => match accepted {
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
pub fn accept_waiting(socket: &TcpListener, mut take: impl FnMut(TcpStream, SocketAddr)) {
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Ok((stream, address))) = socket.poll_accept(&mut context) {
        take(stream, address);
    }
}
