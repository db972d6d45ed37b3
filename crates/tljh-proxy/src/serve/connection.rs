//! One connection of a client.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Phase;
use crate::client::{Client, ClientStream, Patience, Transport};
use crate::fault::{Cause, Fault};
use crate::listen::{MAX_HEAD, MAX_HEADERS};
use crate::metrics;
use crate::seldom::Seldom;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer, as hyper's services give it.
pub type Answered<B> = Result<Response<B>, Infallible>;

/// How often a client's connection is looked at, whether it was waited for too long.
const LOOK: Duration = Duration::from_secs(5);

/// Answers the requests of one connection by `answer`, until it ends, the client is waited for too long, or `phase`
/// says that this is over.
///
/// While the process drains, a connection without a request is left open until its next one is answered: were it closed
/// at once, a request that is just on its way would be lost.
pub async fn serve_client<A, F, B>(
    stream: TcpStream,
    address: SocketAddr,
    answer: A,
    phase: watch::Receiver<Phase>,
) where
    A: Fn(Arc<Client>, Request<Incoming>) -> F,
    F: Future<Output = Answered<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let client = Arc::new(Client::new(address));
    serve_http1(Transport::Plain(stream), client, answer, phase).await;
}

/// As [`serve_client`], over whatever carries the bytes.
pub async fn serve_http1<A, F, B>(
    transport: Transport,
    client: Arc<Client>,
    answer: A,
    phase: watch::Receiver<Phase>,
) where
    A: Fn(Arc<Client>, Request<Incoming>) -> F,
    F: Future<Output = Answered<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let stream = TokioIo::new(ClientStream::new(transport, client.clone()));
    let service = service_fn(|request| answer(client.clone(), request));
    let connection = Builder::new()
        .auto_date_header(false)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .serve_connection(stream, service)
        .with_upgrades();
    let end = |connection: Pin<&mut _>| UpgradeableConnection::graceful_shutdown(connection);
    drive(pin!(connection), end, Phase::Stopping, &client, phase).await;
}

/// Gives an answer to `client`, as the connection's last if that is so. To be called where the answer is made: a future
/// around the one that makes it would be twice as large, and it is moved with each request.
pub fn give<B>(client: &Client, mut answer: Response<B>) -> Answered<B> {
    if client.is_told_to_leave() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(answer)
}

/// Drives a connection to its end. From the phase `last` on it is told to `end`; while the process drains, `client` is told
/// to leave.
pub async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<&mut C>,
    end: impl Fn(Pin<&mut C>),
    last: Phase,
    client: &Client,
    mut phase: watch::Receiver<Phase>,
) {
    let over = AtomicBool::new(false);
    let mut closing = false;
    let serving = poll_fn(|cx| {
        loop {
            let served = connection.as_mut().poll(cx);
            if served.is_ready() || closing || !over.load(Ordering::Relaxed) {
                return served;
            }
            closing = true;
            end(connection.as_mut());
        }
    });
    let mut look = pin!(sleep(LOOK));
    let mut now = Phase::Serving;
    let mut patience = Patience::default();
    let watching = pin!(async {
        loop {
            tokio::select! {
                told = wait_for_more(&mut phase, now), if now != Phase::Stopping => {
                    now = told;
                    client.tell_to_leave();
                    over.store(now >= last, Ordering::Relaxed);
                }
                () = &mut look => {
                    let now = Instant::now();
                    if client.is_overdue(&mut patience, now) {
                        return;
                    }
                    look.as_mut().reset((now + LOOK).into());
                }
            }
        }
    });
    let served = tokio::select! {
        biased;
        // First, so that the connection is polled after it was told to end.
        () = Seldom::new(watching) => Ok(()),
        served = serving => served,
    };
    if let Err(error) = served {
        if error.is_parse() {
            metrics::failed(Fault::Malformed);
        }
        // An answer that broke off ends the connection likewise.
        let cause = if error.is_user() {
            Cause::Upstream
        } else {
            Cause::Client
        };
        log::debug!(TLJH_CAUSE = cause.as_str(); "client: {error}");
    }
}

/// Waits until the phase is later than `now`.
async fn wait_for_more(phase: &mut watch::Receiver<Phase>, now: Phase) -> Phase {
    let told = phase.wait_for(|told| *told > now).await;
    told.map_or(Phase::Stopping, |told| *told)
}
