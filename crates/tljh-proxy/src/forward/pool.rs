//! Connections to backends, kept for the next request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::backend::{Backend, Peer};

/// How long an unused connection is kept. Tornado, on which the backends are built, keeps its end longer.
const KEPT: Duration = Duration::from_secs(60);
/// How often those that were kept for too long, or were closed by the backend, are let go.
const SWEEP: Duration = Duration::from_secs(10);
/// How many are kept to one address.
const MAX_KEPT: usize = 128;

/// Connections to one peer, and since when each is kept.
type Kept = Vec<(Box<Backend>, Instant)>;

/// The kept connections of one thread.
///
/// Each belongs to the route that it was made for: a server that is gone may hold on to its connections, while another
/// one, somebody else's, already listens on the same port.
#[derive(Default)]
pub struct Pool {
    kept: Mutex<HashMap<Peer, Kept>>,
}

impl Pool {
    /// A connection to `peer` that is open, as far as is known; the one that was used last.
    pub fn take(&self, peer: Peer) -> Option<Box<Backend>> {
        let mut kept = self.kept.lock();
        let connections = kept.get_mut(&peer)?;
        while let Some((mut backend, _)) = connections.pop() {
            if backend.is_idle() {
                return Some(backend);
            }
        }
        None
    }

    /// Keeps a connection, if it can be used again.
    pub fn put(&self, mut backend: Box<Backend>) {
        if !backend.is_idle() {
            return;
        }
        let mut kept = self.kept.lock();
        let connections = kept.entry(backend.peer()).or_default();
        if connections.len() < MAX_KEPT {
            connections.push((backend, Instant::now()));
        }
    }

    fn sweep(&self) {
        let now = Instant::now();
        self.kept.lock().retain(|_, connections| {
            connections.retain_mut(|(backend, since)| {
                now.saturating_duration_since(*since) < KEPT && backend.is_idle()
            });
            !connections.is_empty()
        });
    }

    /// Lets go of connections as they come of age, for ever.
    pub async fn keep_tidy(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.sweep();
        }
    }
}
