//! The running proxy: its threads, its listeners, and how it ends.
//!
//! The first thread accepts all connections and answers the API; the others serve them. It ends by a signal, or because
//! a successor serves and the last connection has ended.

mod accept;
mod connection;
mod drain;
mod phase;
mod secure;
mod worker;

use std::cell::Cell;
use std::future::pending;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use sd_notify::NotifyState;
use tljh_terminal::Secret;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::api::Api;
use crate::client::Client;
use crate::error::Error;
use crate::fault::Fault;
use crate::forward::Trust;
use crate::handover::{Event, Handover, Successors};
use crate::https::Https;
use crate::metrics::{self, Exposition};
use crate::routes::{ChangeError, Table};
use crate::turn;
use accept::{accept, accept_waiting};
use connection::{give, serve_client};
use drain::Report;
pub use phase::Phase;
use worker::{Door, Worker, least_busy};

/// How long requests under way get to finish after SIGTERM. WebSockets are not waited for: they may last for hours.
const GRACE: Duration = Duration::from_secs(5);

/// What the proxy listens with.
#[derive(Debug)]
pub struct Sockets {
    /// Browsers.
    pub http: TcpListener,
    /// Browsers, by TLS.
    pub https: Option<TcpListener>,
    /// Another proxy of this machine.
    pub file: Option<UnixListener>,
    /// The hub.
    pub api: TcpListener,
}

/// Serves until SIGTERM or SIGINT, or until a successor has taken over and the last connection has ended.
///
/// # Errors
/// Threads or signal handlers could not be had, or systemd or successors could not find this process.
pub fn serve(
    sockets: Sockets,
    table: Table,
    https: Arc<Https>,
    trust: Arc<Trust>,
    token: Secret,
    handover: Handover,
) -> Result<(), Error> {
    let runtime = new_runtime()?;
    let all = serve_all(sockets, Arc::new(table), https, trust, token, handover);
    let served = runtime.block_on(all);
    // A name that is being looked up would keep a plain drop waiting.
    runtime.shutdown_background();
    served
}

fn new_runtime() -> Result<Runtime, Error> {
    runtime::Builder::new_current_thread()
        .max_blocking_threads(4)
        .on_thread_park(turn::end)
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })
}

async fn serve_all(
    sockets: Sockets,
    table: Arc<Table>,
    https: Arc<Https>,
    trust: Arc<Trust>,
    token: Secret,
    handover: Handover,
) -> Result<(), Error> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|source| Error::Signals { source })?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let listen = |socket: TcpListener| {
        tokio::net::TcpListener::from_std(socket).map_err(|source| Error::Runtime { source })
    };
    let (http, api) = (listen(sockets.http)?, listen(sockets.api)?);
    let secure = sockets.https.map(listen).transpose()?;
    let file = sockets.file.map(tokio::net::UnixListener::from_std);
    let file = file
        .transpose()
        .map_err(|source| Error::Runtime { source })?;
    let address_of = |socket: &tokio::net::TcpListener| {
        let address = socket.local_addr();
        address.map_or("?".into(), |address| address.to_string())
    };
    let (http_address, api_address) = (address_of(&http), address_of(&api));
    let public = match &secure {
        Some(secure) => format!("{http_address} and, by TLS, {}", address_of(secure)),
        None => http_address,
    };

    let threads = available_parallelism().map_or(2, |count| count.get().max(2));
    let mut workers = Vec::new();
    for number in 0..threads {
        workers.push(Worker::start(
            number,
            table.clone(),
            https.clone(),
            trust.clone(),
        )?);
    }
    let always = watch::channel(true);
    let (open_api, api_open) = watch::channel(true);
    let turn = Cell::new(0_usize);
    let next = || {
        turn.set(turn.get().wrapping_add(1));
        least_busy(&workers, turn.get())
    };
    let take = |door, stream, address| {
        if let Some(worker) = next() {
            worker.take(door, stream, address);
        }
    };
    let take_http = |stream, address| take(Door::Http, stream, address);
    let take_https = |stream, address| take(Door::Https, stream, address);
    let take_local = |stream, _| {
        if let Some(worker) = next() {
            worker.take_local(stream);
        }
    };
    let figures = Exposition::new(table.clone(), https.clone());
    let shared_api = Arc::new(Api::new(table.clone(), token, figures));
    let (api_phase, phase) = watch::channel(Phase::Serving);
    let accept_api = accept(&api, api_open, |stream, address| {
        let api = shared_api.clone();
        let answer = move |client: Arc<Client>, request| {
            let api = api.clone();
            async move { give(&client, api.answer(&client, request).await) }
        };
        tokio::spawn(serve_client(stream, address, answer, phase.clone()));
    });

    let accept_https = async {
        match &secure {
            Some(secure) => accept(secure, always.1.clone(), take_https).await,
            None => pending().await,
        }
    };
    let accept_local = async {
        match &file {
            Some(file) => accept(file, always.1.clone(), take_local).await,
            None => pending().await,
        }
    };

    log::info!("serving on {public}, routes are told on {api_address}");
    let successors = handover.complete();
    let mut successors = successors.map_err(|source| Error::Announce { source })?;

    let keeping = tokio::spawn(https.keep());

    // No further connection is accepted when this is over.
    let end = tokio::select! {
        () = accept(&http, always.1.clone(), take_http) => End::Told,
        () = accept_https => End::Told,
        () = accept_local => End::Told,
        () = accept_api => End::Told,
        _ = terminate.recv() => End::Told,
        _ = interrupt.recv() => End::Told,
        released = hand_over(successors.as_mut(), &table, &open_api) => End::HandedOver(released),
    };
    // A CA would ask whoever accepts.
    keeping.abort();
    let is_handed_over = matches!(end, End::HandedOver(_));
    if is_handed_over {
        // The successor may listen elsewhere.
        accept_waiting(&http, take_http);
        if let Some(secure) = &secure {
            accept_waiting(secure, take_https);
        }
        if let Some(file) = &file {
            accept_waiting(file, take_local);
        }
    }
    let control = successors.as_ref().map(|next| next.path().to_path_buf());
    drop((http, secure, file, api, phase, successors));
    let mut relays = Vec::new();
    let mut connections = vec![api_phase];
    for worker in workers {
        let (phase, relay) = worker.retire();
        connections.push(phase);
        relays.push(relay);
    }
    match end {
        End::Told => {
            let _ = sd_notify::notify(&[NotifyState::Stopping]);
        }
        End::HandedOver(released) => {
            tell(&connections, Phase::Draining);
            let _ = released.send(());
            log::info!("another process serves now; this one ends with its last connection");
            let drained = async {
                all_closed(&connections).await;
                all_closed(&relays).await;
            };
            let mut report = Report::new(control.unwrap_or_default());
            tokio::select! {
                () = drained => {
                    report.tell(&table).await;
                    log::info!("the last connection has ended");
                    return Ok(());
                }
                () = report.keep(&table) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
    }
    tell(&connections, Phase::Stopping);
    if timeout(GRACE, all_closed(&connections)).await.is_err() {
        let left: usize = connections.iter().map(watch::Sender::receiver_count).sum();
        log::info!("stopped with {left} connections in use");
    }
    if !is_handed_over && let Err(error) = table.save().await {
        warn_of_routes(&error);
    }
    Ok(())
}

/// Why no further connection is accepted.
#[derive(Debug)]
enum End {
    /// The process is to end.
    Told,
    /// Another one serves, and waits to hear that this one does not.
    HandedOver(oneshot::Sender<()>),
}

/// Lets successors try to take over, until one serves.
async fn hand_over(
    successors: Option<&mut Successors>,
    table: &Table,
    open_api: &watch::Sender<bool>,
) -> oneshot::Sender<()> {
    let Some(successors) = successors else {
        return pending().await;
    };
    loop {
        match successors.next().await {
            Event::Freeze(done) => {
                let _ = open_api.send(false);
                if let Err(error) = table.freeze().await {
                    warn_of_routes(&error);
                }
                let _ = done.send(());
            }
            Event::Resume => {
                metrics::failed(Fault::Handover);
                log::warn!(
                    TLJH_CAUSE = Fault::Handover.cause().as_str(),
                    TLJH_REASON = Fault::Handover.as_str();
                    "no process took over; this one goes on"
                );
                table.thaw();
                let _ = open_api.send(true);
            }
            Event::Used(uses) => table.note_uses(&uses),
            Event::Release(released) => return released,
        }
    }
}

/// Says that the times of the last use of each route could not be written.
fn warn_of_routes(error: &ChangeError) {
    metrics::failed(Fault::Write);
    log::warn!(
        TLJH_CAUSE = Fault::Write.cause().as_str(),
        TLJH_REASON = Fault::Write.as_str();
        "{}", tljh_terminal::render_error(error, None).trim_end()
    );
}

fn tell(connections: &[watch::Sender<Phase>], phase: Phase) {
    for connections in connections {
        let _ = connections.send(phase);
    }
}

/// Waits until nobody holds a receiver.
async fn all_closed<T>(connections: &[watch::Sender<T>]) {
    for connections in connections {
        connections.closed().await;
    }
}
