//! Figures about the proxy for Prometheus: counted here, read at `/metrics` of the API's port.
//!
//! Everybody on the machine may read them, so nothing tells one user from another. They are those of this process and
//! begin at zero with it. A thread counts for itself, in memory that no other one writes to: that costs a request about
//! as much as three additions.

mod counts;
mod exposition;
mod process;

use std::time::Duration;

use http::{Method, StatusCode};

use crate::fault::Fault;
pub use counts::{Call, Thing, Upstream};
use counts::{Figure, count};
pub use exposition::{Exposition, TEXT};

/// Notes the head of an answer, which took this long.
pub fn answered(upstream: Upstream, status: StatusCode, took: Duration) {
    count(Figure::Answers(upstream, class_of(status)), 1);
    count(Figure::bucket(upstream, took), 1);
    let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    count(Figure::Nanoseconds(upstream), nanoseconds);
}

/// Notes an answer of the API.
pub fn told(method: &Method, status: StatusCode) {
    count(Figure::Calls(Call::of(method), class_of(status)), 1);
}

/// Notes that something went wrong.
pub fn failed(fault: Fault) {
    count(Figure::Faults(fault), 1);
}

/// Notes that there is one more of these; one less when what is returned is dropped.
pub fn begin(thing: Thing) -> UnderWay {
    count(Figure::Begun(thing), 1);
    UnderWay(thing)
}

/// Something that goes on.
#[derive(Debug)]
#[must_use]
pub struct UnderWay(Thing);

impl Drop for UnderWay {
    fn drop(&mut self) {
        count(Figure::Ended(self.0), 1);
    }
}

/// 1 for a status of 1xx, and so on.
fn class_of(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100)
}
