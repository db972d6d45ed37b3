//! Requests that wait while the hub restarts.
//!
//! Thousands may: each is a future that holds a place in a queue. The first in the queue alone tries to connect, so
//! that a hub that is away is asked a few times per second however many wait, and one that is back is not run over.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::client::Client;
use crate::metrics::{self, Thing, UnderWay};

/// The time between two tries.
const PAUSE: Duration = Duration::from_millis(150);

/// The queue of those who wait for the hub, served in the order in which they came.
#[derive(Debug, Default)]
pub struct Queue(Mutex<()>);

/// For how long one request waits, and its place in the queue.
pub struct Patience<'a> {
    queue: &'a Queue,
    limit: Duration,
    /// Who may leave meanwhile.
    client: Option<&'a Client>,
    until: Option<Instant>,
    turn: Option<MutexGuard<'a, ()>>,
    /// Since the first wait.
    waiting: Option<UnderWay>,
}

impl<'a> Patience<'a> {
    /// Patience of this length, counted from the first wait, for a request of `client`.
    pub fn new(queue: &'a Queue, limit: Duration, client: Option<&'a Client>) -> Self {
        Self {
            queue,
            limit,
            client,
            until: None,
            turn: None,
            waiting: None,
        }
    }

    /// Waits for some time; false once the patience is over.
    pub async fn rest(&mut self) -> bool {
        let until = self.until();
        sleep(PAUSE).await;
        Instant::now() < until
    }

    /// Waits until it is this request's turn to try again, and some time has passed since it tried last; false once the
    /// patience is over. The turn lasts until [`Self::end_turn`].
    pub async fn await_turn(&mut self) -> bool {
        let (until, next) = (self.until(), Instant::now() + PAUSE);
        if self.turn.is_none() {
            self.turn = timeout_at(until, self.queue.0.lock()).await.ok();
        }
        if self.turn.is_none() || next >= until {
            return false;
        }
        sleep_until(next).await;
        true
    }

    /// Lets the next request in the queue try.
    pub fn end_turn(&mut self) {
        self.turn = None;
        self.note_waiting(false);
    }

    fn until(&mut self) -> Instant {
        let limit = self.limit;
        self.note_waiting(true);
        self.waiting
            .get_or_insert_with(|| metrics::begin(Thing::Wait));
        *self.until.get_or_insert_with(|| Instant::now() + limit)
    }

    fn note_waiting(&self, waits: bool) {
        if let Some(client) = self.client {
            client.set_waiting(waits);
        }
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.note_waiting(false);
    }
}
