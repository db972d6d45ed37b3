//! The connection of a client, as far as the proxy must know more of it than hyper tells: the bytes of the request
//! heads, and for how long it has been waited for.

mod framing;
mod stream;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;

use framing::Framing;
pub use framing::{BodyLength, FramingError};
pub use stream::{ClientStream, Transport};

/// How long a client gets from the first byte of a request head, or from connecting, to the head's end.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// How long a connection without a request is kept, as nginx keeps it.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// One connection of a client.
#[derive(Debug)]
pub struct Client {
    /// Its address; that of this machine if it came by a socket of the file system.
    pub ip: IpAddr,
    /// The address as `X-Forwarded-For` shows it.
    pub address: HeaderValue,
    /// Whether it came by a socket of the file system.
    pub is_local: bool,
    /// Whether TLS secures it.
    pub is_secure: bool,
    leaves: AtomicBool,
    waits: AtomicBool,
    progress: Mutex<Progress>,
    /// Whether the clock starts anew with each part of an answer that goes out: a further request is waited for.
    clock_runs: AtomicBool,
    /// Counts what starts the clock anew.
    steps: AtomicU64,
    /// Whether somebody waits for a flush.
    flush_awaited: AtomicBool,
}

#[derive(Debug)]
struct Progress {
    waiting: Waiting,
    /// Counts how often everything written had gone to the socket, while that was waited for.
    flushes: u64,
    on_flush: Option<Waker>,
    framing: Framing,
    /// Requests under way on a connection of HTTP/2, which has many at a time; `None` on one of HTTP/1.1.
    streams: Option<usize>,
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
    /// A connection that was just accepted, without TLS so far.
    pub fn new(address: SocketAddr) -> Self {
        Self::at(address.ip().to_canonical(), false)
    }

    /// A connection that was just accepted on a socket of the file system.
    pub fn local() -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), true)
    }

    fn at(ip: IpAddr, is_local: bool) -> Self {
        Self {
            ip,
            address: HeaderValue::try_from(ip.to_string())
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            is_local,
            is_secure: false,
            leaves: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            progress: Mutex::new(Progress {
                waiting: Waiting::Head,
                flushes: 0,
                on_flush: None,
                framing: Framing::default(),
                streams: None,
            }),
            clock_runs: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            flush_awaited: AtomicBool::new(false),
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
        self.wait_for(Waiting::Answer, &mut progress);
        let length = progress.framing.take_head(headers);
        drop(progress);
        (UnderWay(self.clone()), length)
    }

    /// Notes that the connection speaks HTTP/2, where hyper alone knows where requests begin and end.
    pub fn set_multiplexed(&self) {
        self.progress.lock().streams = Some(0);
    }

    /// As [`Self::begin_request`] for a request of HTTP/2, whose frames say where it ends (RFC 9113, section 8.1.1): hyper
    /// has seen to it that `Content-Length` says the same. `is_whole` if no body follows.
    ///
    /// # Errors
    /// `Content-Length` is given more than once, or not as a number.
    pub fn begin_stream(
        self: &Arc<Self>,
        headers: &HeaderMap,
        is_whole: bool,
    ) -> (UnderWay, Result<BodyLength, FramingError>) {
        let mut progress = self.progress.lock();
        self.wait_for(Waiting::Answer, &mut progress);
        progress.streams = Some(progress.streams.unwrap_or(0) + 1);
        drop(progress);
        (UnderWay(self.clone()), length_of_stream(headers, is_whole))
    }

    /// Has the next answer be the connection's last. One of HTTP/2 is told by its own means.
    pub fn tell_to_leave(&self) {
        let is_multiplexed = self.progress.lock().streams.is_some();
        self.leaves.store(!is_multiplexed, Ordering::Relaxed);
    }

    /// Whether the next answer is the connection's last.
    pub fn is_told_to_leave(&self) -> bool {
        self.leaves.load(Ordering::Relaxed)
    }

    /// Notes whether a request waits, with a body that nobody reads meanwhile. hyper, which would find the client's end
    /// behind that body, does not see it then: the stream looks for itself.
    pub fn set_waiting(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
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
        let steps = self.steps.load(Ordering::Relaxed);
        if patience.steps != steps {
            patience.since = None;
            patience.steps = steps;
        }
        now.saturating_duration_since(*patience.since.get_or_insert(now)) >= limit
    }

    fn received(&self, bytes: &[u8]) {
        let mut progress = self.progress.lock();
        if progress.streams.is_some() {
            return;
        }
        let head = progress.framing.receive(bytes);
        if head && progress.waiting == Waiting::Request {
            self.wait_for(Waiting::Head, &mut progress);
            self.step();
        }
    }

    fn wait_for(&self, what: Waiting, progress: &mut Progress) {
        progress.waiting = what;
        let runs = what == Waiting::Request;
        self.clock_runs.store(runs, Ordering::Relaxed);
    }

    /// One thread alone does so at a time.
    fn step(&self) {
        let steps = self.steps.load(Ordering::Relaxed);
        self.steps.store(steps.wrapping_add(1), Ordering::Relaxed);
    }

    /// The end of an answer may still be on its way, slowly, when the next request is waited for.
    fn sent(&self) {
        if self.clock_runs.load(Ordering::Relaxed) {
            self.step();
        }
    }

    fn flushed(&self) {
        if !self.flush_awaited.load(Ordering::Relaxed) {
            return;
        }
        let mut progress = self.progress.lock();
        progress.flushes += 1;
        if let Some(waker) = progress.on_flush.take() {
            waker.wake();
        }
    }
}

fn length_of_stream(headers: &HeaderMap, is_whole: bool) -> Result<BodyLength, FramingError> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let given = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(length), None) if length.as_bytes().iter().all(u8::is_ascii_digit) => {
            let length = length.to_str().map_err(|_| FramingError)?;
            Some(length.parse().map_err(|_| FramingError)?)
        }
        _ => return Err(FramingError),
    };
    match (given, is_whole) {
        (None | Some(0), true) => Ok(BodyLength::Known(0)),
        (Some(_), true) => Err(FramingError),
        (Some(length), false) => Ok(BodyLength::Known(length)),
        (None, false) => Ok(BodyLength::Chunked),
    }
}

/// A request under way. The next one is waited for from the moment that this is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Client>);

impl UnderWay {
    /// Waits until everything written before the first call has gone to the client's socket. `before` is `None` then.
    pub fn poll_flushed(&self, before: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = self.0.progress.lock();
        if progress.streams.is_some() {
            // Nobody need write anything on this connection any more; and a reset stream is plain enough.
            return Poll::Ready(());
        }
        self.0.flush_awaited.store(true, Ordering::Relaxed);
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
        if let Some(streams) = &mut progress.streams {
            *streams = streams.saturating_sub(1);
            if *streams > 0 {
                return;
            }
        }
        let next = if progress.framing.is_in_head() {
            Waiting::Head
        } else {
            Waiting::Request
        };
        self.0.wait_for(next, &mut progress);
        self.0.step();
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

    #[test]
    fn a_connection_with_many_requests_is_idle_when_the_last_one_is_over() {
        let (client, mut patience) = (client(), Patience::default());
        client.set_multiplexed();
        let begin = || client.begin_stream(&HeaderMap::new(), true);
        let ((first, length), (second, _)) = (begin(), begin());
        assert_eq!(length, Ok(BodyLength::Known(0)));
        drop(first);
        client.received(b"frames");
        assert!(!dropped_within(&client, &mut patience, 0, 10_000));
        drop(second);
        assert!(!dropped_within(&client, &mut patience, 0, 70));
        assert!(dropped_within(&client, &mut patience, 75, 75));
    }

    #[test]
    fn a_stream_has_one_length_or_none() {
        for (lengths, is_whole, expected) in [
            (&[][..], true, Ok(BodyLength::Known(0))),
            (&[], false, Ok(BodyLength::Chunked)),
            (&["0"], true, Ok(BodyLength::Known(0))),
            (&["5"], false, Ok(BodyLength::Known(5))),
            (&["5"], true, Err(FramingError)),
            (&["5", "5"], false, Err(FramingError)),
            (&["+5"], false, Err(FramingError)),
            (&[""], false, Err(FramingError)),
        ] {
            let mut headers = HeaderMap::new();
            for length in lengths {
                headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            assert_eq!(
                length_of_stream(&headers, is_whole),
                expected,
                "{lengths:?}"
            );
        }
    }
}
