//! Threads that serve connections. Each has a runtime, its share of the connections, and connections to backends of its
//! own, so that a request never crosses threads.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::connection::serve_client;
use super::{Phase, new_runtime};
use crate::error::Error;
use crate::forward::Forward;
use crate::routes::Table;

/// A thread that serves connections.
pub struct Worker {
    /// Each connection holds a receiver: they hear of the end by it, and are counted by it.
    phase: watch::Sender<Phase>,
    /// Each connection whose protocol was changed, as to WebSocket, holds a receiver instead.
    relays: watch::Sender<()>,
    accepted: mpsc::UnboundedSender<(std::net::TcpStream, SocketAddr)>,
}

impl Worker {
    /// A thread that has no connection yet.
    ///
    /// # Errors
    /// The thread or its runtime could not be had.
    pub fn start(number: usize, table: Arc<Table>) -> Result<Self, Error> {
        let runtime = new_runtime()?;
        let (phase, told) = watch::channel(Phase::Serving);
        let (relays, relayed) = watch::channel(());
        let (accepted, incoming) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("proxy-{number}"));
        thread
            .spawn(move || runtime.block_on(work(table, incoming, told, relayed)))
            .map_err(|source| Error::Runtime { source })?;
        Ok(Self {
            phase,
            relays,
            accepted,
        })
    }

    /// Serves one more connection.
    pub fn take(&self, stream: TcpStream, address: SocketAddr) {
        match stream.into_std() {
            Ok(stream) => {
                let _ = self.accepted.send((stream, address));
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
    mut incoming: mpsc::UnboundedReceiver<(std::net::TcpStream, SocketAddr)>,
    phase: watch::Receiver<Phase>,
    relays: watch::Receiver<()>,
) {
    let forward = Arc::new(Forward::new(table, relays));
    tokio::spawn(forward.keep_tidy());
    while let Some((stream, address)) = incoming.recv().await {
        let forward = forward.clone();
        let answer = move |client, request| {
            let forward = forward.clone();
            async move { forward.answer(client, request).await }
        };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                tokio::spawn(serve_client(stream, address, answer, phase.clone()));
            }
            Err(error) => log::warn!("could not serve a connection: {error}"),
        }
    }
    drop((forward, phase));
    pending().await
}
