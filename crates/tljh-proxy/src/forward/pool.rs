//! Connections to backends, kept for the next request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::backend::{Backend, Peer};

/// How often those that were kept for too long, or were closed by the backend, are let go.
const SWEEP: Duration = Duration::from_secs(10);
/// How many times that is for how long an unused connection is kept: a minute. Tornado, on which the backends are built,
/// keeps its end longer.
const KEPT: u64 = 6;
/// How many are kept to one address.
const MAX_KEPT: usize = 128;

/// Connections to one peer, and since which sweep each is kept.
type Kept = Vec<(Box<Backend>, u64)>;

/// The kept connections of one thread.
///
/// Each belongs to the route that it was made for: a server that is gone may hold on to its connections, while another
/// one, somebody else's, already listens on the same port.
#[derive(Default)]
pub struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<Peer, Kept>,
    sweeps: u64,
}

impl Pool {
    /// A connection to `peer` that is open, as far as is known; the one that was used last.
    pub fn take(&self, peer: Peer) -> Option<Box<Backend>> {
        let mut state = self.state.lock();
        let connections = state.kept.get_mut(&peer)?;
        while let Some((mut backend, _)) = connections.pop() {
            if backend.is_open() {
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
        let mut state = self.state.lock();
        let since = state.sweeps;
        let connections = state.kept.entry(backend.peer()).or_default();
        if connections.len() < MAX_KEPT {
            connections.push((backend, since));
        }
    }

    fn sweep(&self) {
        let mut state = self.state.lock();
        state.sweeps += 1;
        let oldest = state.sweeps.saturating_sub(KEPT);
        state.kept.retain(|_, connections| {
            connections.retain_mut(|(backend, since)| *since >= oldest && backend.is_open());
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
