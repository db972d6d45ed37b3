//! One connection to a backend.
//!
//! It has no task of its own: whoever waits for something of it drives it. So a request and its answer cross no
//! thread and no queue.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::failure::Failure;
use super::upload::Upload;
use crate::gathered::Gathered;
use crate::listen::set_tcp_options;

/// A backend on this machine answers at once or not at all; one elsewhere gets this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a body yields next: a part, or its end.
pub type Part = Option<Result<Bytes, hyper::Error>>;

/// Whom a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// The route that it is for.
    pub route: u64,
    /// Where the route's target is.
    pub address: SocketAddr,
}

/// A connection that carries one request at a time.
pub struct Backend {
    peer: Peer,
    sender: SendRequest<Upload>,
    connection: Connection<TokioIo<Gathered>, Upload>,
    ended: bool,
}

impl Backend {
    /// Connects to the address of `peer`.
    ///
    /// # Errors
    /// Nobody listens there, or does not answer within ten seconds.
    pub async fn connect(peer: Peer) -> Result<Box<Self>, Failure> {
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(peer.address)).await;
        let stream = connected
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .and_then(|stream| set_tcp_options(&stream).map(|()| stream))
            .map_err(Failure::Connect)?;
        let (sender, connection) = Builder::new()
            .handshake(TokioIo::new(Gathered(stream)))
            .await
            .map_err(Failure::Backend)?;
        // It goes from hand to hand with each request, and is large.
        Ok(Box::new(Self {
            peer,
            sender,
            connection,
            ended: false,
        }))
    }

    /// Whom it leads to.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Sends a request, and waits for the head of its answer.
    ///
    /// # Errors
    /// The backend gave no answer, or none that is HTTP; or the request's body could not be had. The error holds the
    /// request if no byte of it was sent.
    pub async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            if !self.ended {
                self.ended = self.connection.poll_without_shutdown(cx).is_ready();
            }
            // Only the connection, driven here, can bring the answer; to be woken for it would be once too often.
            answer.as_mut().poll(&mut nobody())
        })
        .await
    }

    /// Drives the connection until the next part of the answer's body is there.
    pub fn poll_part(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Part> {
        let there = poll_arrived(body);
        if there.is_ready() || self.ended {
            return there;
        }
        self.ended = self.connection.poll_without_shutdown(cx).is_ready();
        poll_arrived(body)
    }

    /// Whether another request can be sent, as far as is known: the last one is over.
    pub fn is_idle(&mut self) -> bool {
        let is_idle = |this: &Self| !this.ended && this.sender.is_ready();
        // Who has read the end of an answer has mostly found that out by the way.
        is_idle(self) || self.is_open()
    }

    /// As [`Self::is_idle`], and the backend has not closed the connection.
    pub fn is_open(&mut self) -> bool {
        // This also takes the connection's former driver off the list of those to be woken.
        if !self.ended {
            self.ended = self
                .connection
                .poll_without_shutdown(&mut nobody())
                .is_ready();
        }
        !self.ended && self.sender.is_ready()
    }

    /// The socket after a change of protocol, and what was read from it behind the answer's head.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn into_upgraded(mut self) -> Result<(TcpStream, Bytes), hyper::Error> {
        if !self.ended {
            poll_fn(|cx| self.connection.poll_without_shutdown(cx)).await?;
        }
        let parts = self.connection.into_parts();
        Ok((parts.io.into_inner().0, parts.read_buf))
    }
}

/// The part of a body that has been read already. Trailers are left out: nothing that can announce them is passed on.
pub fn poll_arrived(body: &mut Incoming) -> Poll<Part> {
    Pin::new(body)
        .poll_frame(&mut nobody())
        .map(|frame| match frame? {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(error)),
        })
}

fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
