//! The connection of a client, as far as the proxy must know more of it than hyper tells: the bytes of the request
//! heads, and for how long it has been waited for.

mod framing;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use framing::Framing;
pub use framing::{BodyLength, FramingError};

/// How long a client gets from the first byte of a request head, or from connecting, to the head's end.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// How long a connection without a request is kept, as nginx keeps it.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// One connection of a client.
#[derive(Debug)]
pub struct Client {
    /// The address as `X-Forwarded-For` shows it.
    pub address: HeaderValue,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    waiting: Waiting,
    /// Counts what starts the clock anew.
    steps: u64,
    /// Counts how often everything written had gone to the socket.
    flushes: u64,
    on_flush: Option<Waker>,
    framing: Framing,
}

/// What the proxy waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The rest of a request head, or the first request of a connection.
    Head,
    /// A further request.
    Request,
    /// The end of an answer: however long that takes.
    Answer,
}

/// What [`Client::is_overdue`] remembers from one call to the next.
#[derive(Debug, Default)]
pub struct Patience {
    steps: u64,
    since: Option<Instant>,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(address: SocketAddr) -> Self {
        let address = address.ip().to_canonical().to_string();
        Self {
            address: HeaderValue::try_from(address)
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            progress: Mutex::new(Progress {
                waiting: Waiting::Head,
                steps: 0,
                flushes: 0,
                on_flush: None,
                framing: Framing::default(),
            }),
        }
    }

    /// Notes that hyper has read a request head, and says how long the body is that follows.
    ///
    /// # Errors
    /// The head could be read in more than one way (RFC 9112, section 6.3).
    pub fn begin_request(
        self: &Arc<Self>,
        headers: &HeaderMap,
    ) -> (UnderWay, Result<BodyLength, FramingError>) {
        let mut progress = self.progress.lock();
        progress.waiting = Waiting::Answer;
        let length = progress.framing.take_head(headers);
        drop(progress);
        (UnderWay(self.clone()), length)
    }

    /// Whether a request is being answered.
    pub fn is_answered(&self) -> bool {
        self.progress.lock().waiting == Waiting::Answer
    }

    /// Whether the client has let the proxy wait for too long. To be asked every few seconds; the answer is late by no
    /// more than the time between two calls.
    pub fn is_overdue(&self, patience: &mut Patience, now: Instant) -> bool {
        let progress = self.progress.lock();
        let limit = match progress.waiting {
            Waiting::Head => HEAD_LIMIT,
            Waiting::Request => IDLE_LIMIT,
            Waiting::Answer => {
                patience.since = None;
                return false;
            }
        };
        if patience.steps != progress.steps {
            patience.since = None;
            patience.steps = progress.steps;
        }
        now.saturating_duration_since(*patience.since.get_or_insert(now)) >= limit
    }

    fn received(&self, bytes: &[u8]) {
        let mut progress = self.progress.lock();
        let head = progress.framing.receive(bytes);
        if head && progress.waiting == Waiting::Request {
            progress.waiting = Waiting::Head;
            progress.steps += 1;
        }
    }

    /// The end of an answer may still be on its way, slowly, when the next request is waited for.
    fn sent(&self) {
        let mut progress = self.progress.lock();
        if progress.waiting == Waiting::Request {
            progress.steps += 1;
        }
    }

    fn flushed(&self) {
        let mut progress = self.progress.lock();
        progress.flushes += 1;
        if let Some(waker) = progress.on_flush.take() {
            waker.wake();
        }
    }
}

/// A request under way. The next one is waited for from the moment that this is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Client>);

impl UnderWay {
    /// Waits until everything written before the first call has gone to the client's socket. `before` is `None` then.
    pub fn poll_flushed(&self, before: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = self.0.progress.lock();
        if *before.get_or_insert(progress.flushes) != progress.flushes {
            return Poll::Ready(());
        }
        progress.on_flush = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut progress = self.0.progress.lock();
        progress.waiting = if progress.framing.is_in_head() {
            Waiting::Head
        } else {
            Waiting::Request
        };
        progress.steps += 1;
    }
}

/// The socket of a client.
#[derive(Debug)]
pub struct ClientStream {
    stream: TcpStream,
    client: Arc<Client>,
}

impl ClientStream {
    /// The stream of this client.
    pub fn new(stream: TcpStream, client: Arc<Client>) -> Self {
        Self { stream, client }
    }

    /// The socket alone.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
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
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.client.sent();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        self.client.sent();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.client.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Arc<Client> {
        Arc::new(Client::new("[::ffff:192.0.2.1]:9".parse().unwrap()))
    }

    /// Whether the client is dropped in the seconds from `from` to `to`, asked every five.
    fn dropped_within(client: &Client, patience: &mut Patience, from: u64, to: u64) -> bool {
        let start = Instant::now();
        (from..=to)
            .step_by(5)
            .any(|second| client.is_overdue(patience, start + Duration::from_secs(second)))
    }

    #[test]
    fn an_address_of_ipv4_within_ipv6_is_shown_as_ipv4() {
        assert_eq!(client().address, "192.0.2.1");
    }

    #[test]
    fn a_client_that_sends_no_whole_head_is_dropped_after_a_minute() {
        let silent = client();
        assert!(!dropped_within(&silent, &mut Patience::default(), 0, 55));
        assert!(dropped_within(&silent, &mut Patience::default(), 0, 60));
        let (slow, mut patience) = (client(), Patience::default());
        for _ in 0..6 {
            slow.received(b"X");
            assert!(!slow.is_overdue(&mut patience, Instant::now()));
        }
        assert!(dropped_within(&slow, &mut patience, 60, 65));
    }

    #[test]
    fn an_answer_takes_as_long_as_it_takes_and_the_next_request_has_a_clock_of_its_own() {
        let client = client();
        let mut patience = Patience::default();
        client.received(b"GET / HTTP/1.1\r\n\r\n");
        let (under_way, length) = client.begin_request(&HeaderMap::new());
        assert_eq!(length.unwrap(), BodyLength::Known(0));
        assert!(!dropped_within(&client, &mut patience, 0, 10_000));
        drop(under_way);
        assert!(!dropped_within(&client, &mut patience, 0, 70));
        // A step of an answer that still flows starts the clock anew.
        client.sent();
        assert!(!dropped_within(&client, &mut patience, 70, 140));
        assert!(dropped_within(&client, &mut patience, 145, 145));
        client.received(b"G");
        assert!(!dropped_within(&client, &mut patience, 0, 55));
        assert!(dropped_within(&client, &mut patience, 60, 60));
    }
}
