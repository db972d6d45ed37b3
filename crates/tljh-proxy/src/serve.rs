//! The running proxy: its threads, its two listeners, and how it stops.
//!
//! Each thread has an accept loop, connections to backends and a runtime of its own, so that a request never crosses
//! threads. The API has the first thread.

use std::convert::Infallible;
use std::future::poll_fn;
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
    let (stop, stopping) = watch::channel(false);
    let (count, mut counts) = mpsc::unbounded_channel();
    let [public_address, api_address] = [&public, &api].map(|socket| {
        socket
            .local_addr()
            .map_or("?".into(), |address| address.to_string())
    });

    let threads = available_parallelism().map_or(2, |count| count.get().max(2));
    for number in 0..threads {
        let runtime = new_runtime()?;
        let socket = public
            .try_clone()
            .map_err(|source| Error::Runtime { source })?;
        let (table, stopping, count) = (table.clone(), stopping.clone(), count.clone());
        let thread = thread::Builder::new().name(format!("proxy-{number}"));
        let thread = thread.spawn(move || {
            let left = runtime.block_on(forward_all(socket, table, stopping));
            let _ = count.send(left);
            runtime.shutdown_background();
        });
        thread.map_err(|source| Error::Runtime { source })?;
    }
    drop(public);
    let all_api = answer_all_api(api, Api::new(table.clone(), token), stopping);
    tokio::spawn(async move {
        let _ = count.send(all_api.await);
    });

    log::info!("serving on {public_address}, routes are told on {api_address}");
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("could not tell systemd that the proxy is ready: {error}");
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let _ = stop.send(true);
    let mut left = 0;
    while let Some(count) = counts.recv().await {
        left += count;
    }
    if left > 0 {
        log::info!("stopped with {left} requests under way");
    }
    if let Err(error) = table.save().await {
        log::warn!("{}", tljh_terminal::render_error(&error, None).trim_end());
    }
    Ok(())
}

/// Runs the proxy of one thread; gives how many requests were still under way when it stopped.
async fn forward_all(
    socket: TcpListener,
    table: Arc<Table>,
    stopping: watch::Receiver<bool>,
) -> usize {
    let forward = Arc::new(Forward::new(table));
    tokio::spawn(forward.keep_tidy());
    accept(socket, stopping, |stream, address, stopping| {
        let forward = forward.clone();
        let answer = move |client, request| {
            let forward = forward.clone();
            async move { forward.answer(client, request).await }
        };
        serve_client(stream, address, answer, stopping)
    })
    .await
}

/// Answers the requests of the API; gives the number of those left, as [`forward_all`].
async fn answer_all_api(socket: TcpListener, api: Api, stopping: watch::Receiver<bool>) -> usize {
    let api = Arc::new(api);
    accept(socket, stopping, |stream, address, stopping| {
        let api = api.clone();
        let answer = move |client, request| {
            let api = api.clone();
            async move { api.answer(&client, request).await }
        };
        serve_client(stream, address, answer, stopping)
    })
    .await
}

/// Serves each connection by a task of its own until `stopping` turns true, and gives them some time to finish.
async fn accept<F, C>(socket: TcpListener, mut stopping: watch::Receiver<bool>, serve: F) -> usize
where
    F: Fn(TcpStream, SocketAddr, watch::Receiver<bool>) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    // Each connection holds a receiver: they hear of the stop by it, and are counted by it.
    let (stop, connections) = watch::channel(false);
    let accepting = async {
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return log::error!("could not accept connections: {error}"),
        };
        loop {
            match socket.accept().await {
                Ok((stream, address)) => {
                    tokio::spawn(serve(stream, address, connections.clone()));
                    // The next one may be for a thread that has less to do.
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    log::warn!("could not accept a connection: {error}");
                    sleep(REST).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    drop(connections);
    let _ = stop.send(true);
    let _ = timeout(GRACE, stop.closed()).await;
    stop.receiver_count()
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
