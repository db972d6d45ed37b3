//! Threads that serve connections. Each has a runtime, its share of the connections, and connections to backends of its
//! own, so that a request never crosses threads.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::connection::serve_client;
use super::secure::serve_secure;
use super::{Phase, new_runtime};
use crate::error::Error;
use crate::forward::Forward;
use crate::https::Https;
use crate::metrics::{self, Thing};
use crate::routes::Table;

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The port for HTTP.
    Http,
    /// The port for HTTPS.
    Https,
}

/// A connection that was just accepted.
type Accepted = (Door, std::net::TcpStream, SocketAddr);

/// A thread that serves connections.
pub struct Worker {
    /// Each connection holds a receiver: they hear of the end by it, and are counted by it.
    phase: watch::Sender<Phase>,
    /// Each connection whose protocol was changed, as to WebSocket, holds a receiver instead.
    relays: watch::Sender<()>,
    accepted: mpsc::UnboundedSender<Accepted>,
}

impl Worker {
    /// A thread that has no connection yet.
    ///
    /// # Errors
    /// The thread or its runtime could not be had.
    pub fn start(number: usize, table: Arc<Table>, https: Arc<Https>) -> Result<Self, Error> {
        let runtime = new_runtime()?;
        let (phase, told) = watch::channel(Phase::Serving);
        let (relays, relayed) = watch::channel(());
        let (accepted, incoming) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("proxy-{number}"));
        thread
            .spawn(move || runtime.block_on(work(table, https, incoming, told, relayed)))
            .map_err(|source| Error::Runtime { source })?;
        Ok(Self {
            phase,
            relays,
            accepted,
        })
    }

    /// Serves one more connection.
    pub fn take(&self, door: Door, stream: TcpStream, address: SocketAddr) {
        match stream.into_std() {
            Ok(stream) => {
                let _ = self.accepted.send((door, stream, address));
            }
            Err(error) => log::warn!("could not hand over a connection: {error}"),
        }
    }

    /// Gives it no further connection; gives what those that it has are told by, and what those hold that changed their
    /// protocol.
    pub fn retire(self) -> (watch::Sender<Phase>, watch::Sender<()>) {
        (self.phase, self.relays)
    }
}

/// The thread with the fewest connections, WebSockets aside; in turn, where there are several.
pub fn least_busy(workers: &[Worker], turn: usize) -> Option<&Worker> {
    let in_turn = workers.iter().cycle().skip(turn % workers.len().max(1));
    in_turn
        .take(workers.len())
        .min_by_key(|worker| worker.phase.receiver_count())
}

/// Serves connections on a thread of their own until the process ends.
async fn work(
    table: Arc<Table>,
    https: Arc<Https>,
    mut incoming: mpsc::UnboundedReceiver<Accepted>,
    phase: watch::Receiver<Phase>,
    relays: watch::Receiver<()>,
) {
    let forward = Arc::new(Forward::new(table, https.front().clone(), relays));
    let acceptor = https.tls().map(TlsAcceptor::from);
    tokio::spawn(forward.keep_tidy());
    while let Some((door, stream, address)) = incoming.recv().await {
        let forward = forward.clone();
        let answer = move |client, request| {
            let forward = forward.clone();
            async move { forward.answer(client, request).await }
        };
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                log::warn!("could not serve a connection: {error}");
                continue;
            }
        };
        match (door, &acceptor) {
            (Door::Http, _) => {
                let serving = serve_client(stream, address, answer, phase.clone());
                tokio::spawn(noted(Thing::Http, serving));
            }
            (Door::Https, Some(acceptor)) => {
                let acceptor = acceptor.clone();
                let serving = serve_secure(stream, address, acceptor, answer, phase.clone());
                tokio::spawn(noted(Thing::Https, serving));
            }
            (Door::Https, None) => {}
        }
    }
    drop((forward, phase));
    pending().await
}

/// Counts a connection for as long as it is served.
async fn noted(thing: Thing, serving: impl Future<Output = ()>) {
    let _open = metrics::begin(thing);
    serving.await;
}
