//! Counters, one set for each thread, added up when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;

use crate::fault::Fault;

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// The hub.
    Hub,
    /// Somebody's server.
    Server,
    /// The proxy itself.
    Proxy,
}

/// What goes on for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A connection of a client by HTTP.
    Http,
    /// One by HTTPS.
    Https,
    /// One that has changed its protocol, as to WebSocket.
    WebSocket,
    /// A request that waits for the hub.
    Wait,
}

/// What the API was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// To tell routes.
    Get,
    /// To add one.
    Post,
    /// To remove one.
    Delete,
    /// Something that it does not know.
    Other,
}

impl Upstream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hub, Self::Server, Self::Proxy];
}

impl Thing {
    const COUNT: usize = 4;
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Get, Self::Post, Self::Delete, Self::Other];

    /// What a request of this method asks for.
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::POST => Self::Post,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Classes of status codes, 1xx to 5xx.
pub const CLASSES: usize = 5;
/// Upper bounds of the time that an answer takes, in seconds; one bucket more has none.
pub const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0];
const BUCKETS: usize = BOUNDS.len() + 1;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// Answers to browsers, by the class of their status, 1 to 5.
    Answers(Upstream, usize),
    /// Answers that took no longer than the bound of this number, and longer than the one before.
    Bucket(Upstream, usize),
    /// The time that all answers took together.
    Nanoseconds(Upstream),
    /// What went wrong.
    Faults(Fault),
    /// What has begun.
    Begun(Thing),
    /// What of that has ended.
    Ended(Thing),
    /// Answers of the API, by the class of their status, 1 to 5.
    Calls(Call, usize),
}

const BUCKETS_AT: usize = Upstream::ALL.len() * CLASSES;
const NANOSECONDS_AT: usize = BUCKETS_AT + Upstream::ALL.len() * BUCKETS;
const FAULTS_AT: usize = NANOSECONDS_AT + Upstream::ALL.len();
const BEGUN_AT: usize = FAULTS_AT + Fault::ALL.len();
const ENDED_AT: usize = BEGUN_AT + Thing::COUNT;
const CALLS_AT: usize = ENDED_AT + Thing::COUNT;
const COUNT: usize = CALLS_AT + Call::ALL.len() * CLASSES;

impl Figure {
    /// The bucket for an answer that took this long.
    pub fn bucket(upstream: Upstream, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        Self::Bucket(upstream, bucket.unwrap_or(BOUNDS.len()))
    }

    fn place(self) -> usize {
        let class = |class: usize| class.clamp(1, CLASSES) - 1;
        match self {
            Self::Answers(upstream, of) => upstream as usize * CLASSES + class(of),
            Self::Bucket(upstream, bucket) => BUCKETS_AT + upstream as usize * BUCKETS + bucket,
            Self::Nanoseconds(upstream) => NANOSECONDS_AT + upstream as usize,
            Self::Faults(fault) => FAULTS_AT + fault as usize,
            Self::Begun(thing) => BEGUN_AT + thing as usize,
            Self::Ended(thing) => ENDED_AT + thing as usize,
            Self::Calls(call, of) => CALLS_AT + call as usize * CLASSES + class(of),
        }
    }
}

/// The counters of one thread, which alone writes to them. Aligned so that no two threads share a line of their caches.
#[repr(align(128))]
#[derive(Debug)]
struct Counters([AtomicU64; COUNT]);

/// The counters of all threads that ever counted.
static ALL: Mutex<Vec<Arc<Counters>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: Arc<Counters> = {
        let own = Arc::new(Counters([const { AtomicU64::new(0) }; COUNT]));
        ALL.lock().push(own.clone());
        own
    };
}

/// Adds to a figure.
pub fn count(figure: Figure, more: u64) {
    // A thread that ends has nothing to count any more.
    let _ = OWN.try_with(|own| {
        if let Some(counter) = own.0.get(figure.place()) {
            let now = counter.load(Ordering::Relaxed);
            counter.store(now.wrapping_add(more), Ordering::Relaxed);
        }
    });
}

/// What all threads have counted together.
pub fn total(figure: Figure) -> u64 {
    let all = ALL.lock();
    let counters = all.iter().filter_map(|own| own.0.get(figure.place()));
    counters.fold(0, |sum, counter| {
        sum.wrapping_add(counter.load(Ordering::Relaxed))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn each_figure_has_a_place_of_its_own() {
        let mut figures: Vec<Figure> = Fault::ALL.map(Figure::Faults).into();
        for upstream in Upstream::ALL {
            figures.extend((1..=CLASSES).map(|class| Figure::Answers(upstream, class)));
            figures.extend((0..BUCKETS).map(|bucket| Figure::Bucket(upstream, bucket)));
            figures.push(Figure::Nanoseconds(upstream));
        }
        for call in Call::ALL {
            figures.extend((1..=CLASSES).map(|class| Figure::Calls(call, class)));
        }
        for thing in [Thing::Http, Thing::Https, Thing::WebSocket, Thing::Wait] {
            figures.extend([Figure::Begun(thing), Figure::Ended(thing)]);
        }
        let places: HashSet<usize> = figures.iter().map(|figure| figure.place()).collect();
        assert_eq!(places, (0..COUNT).collect());
        assert_eq!(figures.len(), COUNT);
    }

    #[test]
    fn what_threads_count_is_added_up_and_stays_when_they_end() {
        let figure = Figure::Faults(Fault::Lookup);
        let before = total(figure);
        let threads = [1, 2, 3].map(|more| thread::spawn(move || count(figure, more)));
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        count(figure, 4);
        assert_eq!(total(figure) - before, 10);
    }

    #[test]
    fn a_time_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        for (milliseconds, bucket) in [(0, 0), (1, 0), (2, 1), (500, 4), (30_000, 7), (30_001, 8)] {
            let figure = Figure::bucket(Upstream::Hub, Duration::from_millis(milliseconds));
            assert!(matches!(figure, Figure::Bucket(Upstream::Hub, found) if found == bucket));
        }
    }
}
