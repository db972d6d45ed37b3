//! Threads that serve connections. Each has a runtime, its share of the connections, and connections to backends of its
//! own, so that a request never crosses threads.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::thread;

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::connection::{give, serve_client, serve_http1};
use super::secure::serve_secure;
use super::{Phase, new_runtime};
use crate::client::{Client, Transport};
use crate::error::Error;
use crate::forward::{Forward, Trust};
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
enum Accepted {
    Port(Door, StdTcpStream, SocketAddr),
    File(StdUnixStream),
}

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
    pub fn start(
        number: usize,
        table: Arc<Table>,
        https: Arc<Https>,
        trust: Arc<Trust>,
    ) -> Result<Self, Error> {
        let runtime = new_runtime()?;
        let (phase, told) = watch::channel(Phase::Serving);
        let (relays, relayed) = watch::channel(());
        let (accepted, incoming) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("proxy-{number}"));
        thread
            .spawn(move || runtime.block_on(work(table, https, trust, incoming, told, relayed)))
            .map_err(|source| Error::Runtime { source })?;
        Ok(Self {
            phase,
            relays,
            accepted,
        })
    }

    /// Serves one more connection.
    pub fn take(&self, door: Door, stream: TcpStream, address: SocketAddr) {
        let stream = stream.into_std();
        self.hand_over(stream.map(|stream| Accepted::Port(door, stream, address)));
    }

    /// Serves one more connection, of another proxy of this machine.
    pub fn take_local(&self, stream: UnixStream) {
        self.hand_over(stream.into_std().map(Accepted::File));
    }

    fn hand_over(&self, accepted: io::Result<Accepted>) {
        match accepted {
            Ok(accepted) => {
                let _ = self.accepted.send(accepted);
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
    trust: Arc<Trust>,
    mut incoming: mpsc::UnboundedReceiver<Accepted>,
    phase: watch::Receiver<Phase>,
    relays: watch::Receiver<()>,
) {
    let forward = Arc::new(Forward::new(table, https.front().clone(), trust, relays));
    let acceptor = https.tls().map(TlsAcceptor::from);
    tokio::spawn(forward.keep_tidy());
    while let Some(accepted) = incoming.recv().await {
        let forward = forward.clone();
        let answer = move |client: Arc<Client>, request| {
            let forward = forward.clone();
            async move { give(&client, forward.answer(&client, request).await) }
        };
        match (accepted, &acceptor) {
            (Accepted::Port(Door::Http, stream, address), _) => {
                if let Some(stream) = served(TcpStream::from_std(stream)) {
                    let serving = serve_client(stream, address, answer, phase.clone());
                    tokio::spawn(noted(Thing::Http, serving));
                }
            }
            (Accepted::Port(Door::Https, stream, address), Some(acceptor)) => {
                if let Some(stream) = served(TcpStream::from_std(stream)) {
                    let acceptor = acceptor.clone();
                    let serving = serve_secure(stream, address, acceptor, answer, phase.clone());
                    tokio::spawn(noted(Thing::Https, serving));
                }
            }
            (Accepted::Port(Door::Https, ..), None) => {}
            (Accepted::File(stream), _) => {
                if let Some(stream) = served(UnixStream::from_std(stream)) {
                    let (stream, client) = (Transport::Local(stream), Client::local());
                    let client = Arc::new(client);
                    let serving = serve_http1(stream, client, answer, phase.clone());
                    tokio::spawn(noted(Thing::Http, serving));
                }
            }
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

/// A connection that can be served; one that cannot is told.
fn served<S>(stream: io::Result<S>) -> Option<S> {
    stream
        .inspect_err(|error| log::warn!("could not serve a connection: {error}"))
        .ok()
}
