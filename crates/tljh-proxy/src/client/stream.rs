//! The socket of a client, plain or under TLS.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use super::Client;
use crate::gathered::poll_write_parts;
use crate::tls::Socket;

/// What carries the bytes of a connection.
#[derive(Debug)]
pub enum Transport {
    /// TCP alone.
    Plain(TcpStream),
    /// A socket of the file system.
    Local(UnixStream),
    /// TLS on TCP.
    Secure(Box<TlsStream<Socket>>),
}

/// The socket of a client, which tells the client what passes.
#[derive(Debug)]
pub struct ClientStream {
    transport: Transport,
    client: Arc<Client>,
}

impl ClientStream {
    /// The stream of this client.
    pub fn new(transport: Transport, client: Arc<Client>) -> Self {
        Self { transport, client }
    }

    /// The socket alone.
    pub fn into_inner(self) -> Transport {
        self.transport
    }
}

impl Transport {
    /// Whether the client has sent its last byte; others before that may be unread.
    fn has_ended(&self) -> bool {
        let mut looking = Context::from_waker(Waker::noop());
        let ready = match self {
            Self::Plain(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut looking),
            Self::Local(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut looking),
            Self::Secure(stream) => {
                let stream = stream.get_ref().0.stream();
                pin!(stream.ready(Interest::READABLE)).poll(&mut looking)
            }
        };
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Local(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        })?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.client.received(new);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Local(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        self.client.sent();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(match &mut self.transport {
            Transport::Plain(stream) => poll_write_parts(Pin::new(stream), cx, parts),
            Transport::Local(stream) => poll_write_parts(Pin::new(stream), cx, parts),
            Transport::Secure(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        });
        self.client.sent();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Local(stream) => stream.is_write_vectored(),
            Transport::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever the connection is looked at, every few seconds at least.
        if self.client.is_waiting() && self.transport.has_ended() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        ready!(match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Local(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Secure(stream) => Pin::new(stream).poll_flush(cx),
        })?;
        self.client.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Local(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
