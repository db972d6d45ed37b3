//! The running proxy: its threads, its two listeners, and how it stops.
//!
//! The first thread accepts all connections and answers the API. Each of the others has a runtime, its share of the
//! connections, and connections to backends of its own, so that a request never crosses threads.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sd_notify::NotifyState;
use tljh_terminal::Secret;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::api::Api;
use crate::client::{Client, ClientStream, Patience};
use crate::error::Error;
use crate::forward::Forward;
use crate::listen::{MAX_HEAD, MAX_HEADERS};
use crate::routes::Table;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long requests under way get to finish after SIGTERM. WebSockets are not waited for: they may last for hours.
const GRACE: Duration = Duration::from_secs(5);
/// How often a client's connection is looked at, whether it was waited for too long.
const LOOK: Duration = Duration::from_secs(5);
/// How long accepting rests when it fails, as without descriptors it does until one is closed.
const REST: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Threads or signal handlers could not be had.
pub fn serve(
    public: TcpListener,
    api: TcpListener,
    table: Table,
    token: Secret,
) -> Result<(), Error> {
    let runtime = new_runtime()?;
    let served = runtime.block_on(serve_both(public, api, Arc::new(table), token));
    // A name that is being looked up would keep a plain drop waiting.
    runtime.shutdown_background();
    served
}

fn new_runtime() -> Result<Runtime, Error> {
    runtime::Builder::new_current_thread()
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })
}

async fn serve_both(
    public: TcpListener,
    api: TcpListener,
    table: Arc<Table>,
    token: Secret,
) -> Result<(), Error> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|source| Error::Signals { source })?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let [public_address, api_address] = [&public, &api].map(|socket| {
        socket
            .local_addr()
            .map_or("?".into(), |address| address.to_string())
    });

    let threads = available_parallelism().map_or(2, |count| count.get().max(2));
    let mut workers = Vec::new();
    for number in 0..threads {
        workers.push(Worker::start(number, table.clone())?);
    }
    let mut turn = 0;
    let accept_public = accept(public, |stream, address| {
        turn += 1;
        if let Some(worker) = least_busy(&workers, turn) {
            worker.take(stream, address);
        }
    });
    let shared_api = Arc::new(Api::new(table.clone(), token));
    let (stop_api, stopping) = watch::channel(false);
    let accept_api = accept(api, |stream, address| {
        let api = shared_api.clone();
        let answer = move |client, request| {
            let api = api.clone();
            async move { api.answer(&client, request).await }
        };
        tokio::spawn(serve_client(stream, address, answer, stopping.clone()));
    });

    log::info!("serving on {public_address}, routes are told on {api_address}");
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("could not tell systemd that the proxy is ready: {error}");
    }

    // No further connection is accepted when this is over.
    tokio::select! {
        _ = accept_public => {}
        _ = accept_api => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    drop(stopping);
    let mut connections: Vec<_> = workers.into_iter().map(Worker::stop).collect();
    connections.push(stop_api);
    let finished = timeout(GRACE, async {
        for connections in &connections {
            let _ = connections.send(true);
        }
        for connections in &connections {
            connections.closed().await;
        }
    });
    if finished.await.is_err() {
        let left: usize = connections.iter().map(watch::Sender::receiver_count).sum();
        log::info!("stopped with {left} connections in use");
    }
    if let Err(error) = table.save().await {
        log::warn!("{}", tljh_terminal::render_error(&error, None).trim_end());
    }
    Ok(())
}

/// Accepts connections for ever, and hands each of them to `take`.
async fn accept(socket: TcpListener, mut take: impl FnMut(TcpStream, SocketAddr)) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return log::error!("could not accept connections: {error}"),
    };
    loop {
        match socket.accept().await {
            Ok((stream, address)) => take(stream, address),
            Err(error) => {
                log::warn!("could not accept a connection: {error}");
                sleep(REST).await;
            }
        }
    }
}

/// A thread that serves connections.
struct Worker {
    /// Each connection holds a receiver: they hear of the stop by it, and are counted by it.
    connections: watch::Sender<bool>,
    accepted: mpsc::UnboundedSender<(std::net::TcpStream, SocketAddr)>,
}

impl Worker {
    fn start(number: usize, table: Arc<Table>) -> Result<Self, Error> {
        let runtime = new_runtime()?;
        let (connections, stopping) = watch::channel(false);
        let (accepted, incoming) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("proxy-{number}"));
        thread
            .spawn(move || runtime.block_on(work(table, incoming, stopping)))
            .map_err(|source| Error::Runtime { source })?;
        Ok(Self {
            connections,
            accepted,
        })
    }

    fn take(&self, stream: TcpStream, address: SocketAddr) {
        match stream.into_std() {
            Ok(stream) => {
                let _ = self.accepted.send((stream, address));
            }
            Err(error) => log::warn!("could not hand over a connection: {error}"),
        }
    }

    /// Gives it no further connection; gives what those that it has are told to stop by.
    fn stop(self) -> watch::Sender<bool> {
        self.connections
    }
}

/// The thread with the fewest connections, WebSockets aside; in turn, where there are several.
fn least_busy(workers: &[Worker], turn: usize) -> Option<&Worker> {
    let in_turn = workers.iter().cycle().skip(turn % workers.len().max(1));
    in_turn
        .take(workers.len())
        .min_by_key(|worker| worker.connections.receiver_count())
}

/// Serves connections on a thread of their own until the process ends.
async fn work(
    table: Arc<Table>,
    mut incoming: mpsc::UnboundedReceiver<(std::net::TcpStream, SocketAddr)>,
    stopping: watch::Receiver<bool>,
) {
    let forward = Arc::new(Forward::new(table));
    tokio::spawn(forward.keep_tidy());
    while let Some((stream, address)) = incoming.recv().await {
        let forward = forward.clone();
        let answer = move |client, request| {
            let forward = forward.clone();
            async move { forward.answer(client, request).await }
        };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                tokio::spawn(serve_client(stream, address, answer, stopping.clone()));
            }
            Err(error) => log::warn!("could not serve a connection: {error}"),
        }
    }
    drop(stopping);
    pending().await
}

/// Answers the requests of one connection by `answer`, until it ends, the client is waited for too long, or `stopping`
/// turns true and the request under way is over.
async fn serve_client<A, F, B>(
    stream: TcpStream,
    address: SocketAddr,
    answer: A,
    mut stopping: watch::Receiver<bool>,
) where
    A: Fn(Arc<Client>, Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let client = Arc::new(Client::new(address));
    let stream = TokioIo::new(ClientStream::new(stream, client.clone()));
    let service = service_fn(|request| {
        let answer = answer(client.clone(), request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = Builder::new()
        .auto_date_header(false)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut stop = pin!(stopping.wait_for(|stopping| *stopping));
    let mut stopped = false;
    let mut look = pin!(sleep(LOOK));
    let mut patience = Patience::default();
    let served = poll_fn(|cx| {
        if !stopped && stop.as_mut().poll(cx).is_ready() {
            stopped = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(served) = connection.as_mut().poll(cx) {
            return Poll::Ready(served);
        }
        while look.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if client.is_overdue(&mut patience, now) {
                return Poll::Ready(Ok(()));
            }
            look.as_mut().reset((now + LOOK).into());
        }
        Poll::Pending
    });
    if let Err(error) = served.await {
        log::debug!("client: {error}");
    }
}
