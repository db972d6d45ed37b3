//! The running proxy: its threads, its listeners, and how it stops.
//!
//! The first thread accepts all connections and answers the API; the others serve them.

mod accept;
mod connection;
mod phase;
mod worker;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use sd_notify::NotifyState;
use tljh_terminal::Secret;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::Api;
use crate::error::Error;
use crate::routes::Table;
use accept::{accept, accept_waiting};
use connection::serve_client;
pub use phase::Phase;
use worker::{Worker, least_busy};

/// How long requests under way get to finish after SIGTERM. WebSockets are not waited for: they may last for hours.
const GRACE: Duration = Duration::from_secs(5);

/// What the proxy listens with.
#[derive(Debug)]
pub struct Sockets {
    /// Browsers.
    pub http: TcpListener,
    /// The hub.
    pub api: TcpListener,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Threads or signal handlers could not be had.
pub fn serve(sockets: Sockets, table: Table, token: Secret) -> Result<(), Error> {
    let runtime = new_runtime()?;
    let served = runtime.block_on(serve_all(sockets, Arc::new(table), token));
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

async fn serve_all(sockets: Sockets, table: Arc<Table>, token: Secret) -> Result<(), Error> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|source| Error::Signals { source })?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let listen = |socket: TcpListener| {
        tokio::net::TcpListener::from_std(socket).map_err(|source| Error::Runtime { source })
    };
    let (http, api) = (listen(sockets.http)?, listen(sockets.api)?);
    let [http_address, api_address] = [&http, &api].map(|socket| {
        socket
            .local_addr()
            .map_or("?".into(), |address| address.to_string())
    });

    let threads = available_parallelism().map_or(2, |count| count.get().max(2));
    let mut workers = Vec::new();
    for number in 0..threads {
        workers.push(Worker::start(number, table.clone())?);
    }
    let (_open, opened) = watch::channel(true);
    let mut turn = 0;
    let mut take = |stream, address| {
        turn += 1;
        if let Some(worker) = least_busy(&workers, turn) {
            worker.take(stream, address);
        }
    };
    let shared_api = Arc::new(Api::new(table.clone(), token));
    let (api_phase, phase) = watch::channel(Phase::Serving);
    let accept_api = accept(&api, opened.clone(), |stream, address| {
        let api = shared_api.clone();
        let answer = move |client, request| {
            let api = api.clone();
            async move { api.answer(&client, request).await }
        };
        tokio::spawn(serve_client(stream, address, answer, phase.clone()));
    });

    log::info!("serving on {http_address}, routes are told on {api_address}");
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("could not tell systemd that the proxy is ready: {error}");
    }

    // No further connection is accepted when this is over.
    tokio::select! {
        () = accept(&http, opened, &mut take) => {}
        () = accept_api => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    accept_waiting(&http, &mut take);
    drop(http);
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    drop(phase);
    let mut connections: Vec<_> = workers.into_iter().map(Worker::retire).collect();
    connections.push(api_phase);
    let finished = timeout(GRACE, end(&connections, Phase::Stopping));
    if finished.await.is_err() {
        let left: usize = connections.iter().map(watch::Sender::receiver_count).sum();
        log::info!("stopped with {left} connections in use");
    }
    if let Err(error) = table.save().await {
        log::warn!("{}", tljh_terminal::render_error(&error, None).trim_end());
    }
    Ok(())
}

/// Tells all connections, and waits until there is none.
async fn end(connections: &[watch::Sender<Phase>], phase: Phase) {
    for connections in connections {
        let _ = connections.send(phase);
    }
    for connections in connections {
        connections.closed().await;
    }
}
