//! What goes wrong with requests and connections, and who caused it: for the log and for the figures.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Who caused it, and so who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A browser, or whatever else came in.
    Client,
    /// The hub or somebody's server.
    Upstream,
    /// The proxy, or the machine that it runs on.
    Proxy,
}

/// What went wrong. The names are those of `TLJH_REASON` in the journal and of `reason` in the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A request that is not HTTP.
    Malformed,
    /// A request that is HTTP, and not passed on.
    Refused,
    /// A request that ended before its end.
    Incomplete,
    /// TLS did not come about.
    Handshake,
    /// The name of a target has no address.
    Lookup,
    /// A target asks for TLS.
    Unsupported,
    /// Nobody listens at a target.
    Connect,
    /// A target took a request and did not answer.
    NoAnswer,
    /// An answer that is not HTTP, or cannot be passed on.
    InvalidAnswer,
    /// An answer that ended before its end.
    BrokenAnswer,
    /// A connection that could not be accepted.
    Accept,
    /// Routes that could not be written.
    Write,
    /// A process that was to take over, and did not.
    Handover,
}

impl Cause {
    /// As it is named in the journal and in the figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Proxy => "proxy",
        }
    }
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Refused,
        Self::Incomplete,
        Self::Handshake,
        Self::Lookup,
        Self::Unsupported,
        Self::Connect,
        Self::NoAnswer,
        Self::InvalidAnswer,
        Self::BrokenAnswer,
        Self::Accept,
        Self::Write,
        Self::Handover,
    ];

    /// Who caused it.
    pub fn cause(self) -> Cause {
        match self {
            Self::Malformed | Self::Refused | Self::Incomplete | Self::Handshake => Cause::Client,
            Self::Lookup
            | Self::Unsupported
            | Self::Connect
            | Self::NoAnswer
            | Self::InvalidAnswer
            | Self::BrokenAnswer => Cause::Upstream,
            Self::Accept | Self::Write | Self::Handover => Cause::Proxy,
        }
    }

    /// As it is named in the journal and in the figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Incomplete => "incomplete",
            Self::Handshake => "handshake",
            Self::Lookup => "lookup",
            Self::Unsupported => "unsupported",
            Self::Connect => "connect",
            Self::NoAnswer => "no_answer",
            Self::InvalidAnswer => "invalid_answer",
            Self::BrokenAnswer => "broken_answer",
            Self::Accept => "accept",
            Self::Write => "write",
            Self::Handover => "handover",
        }
    }
}

/// How many like events are told one by one, within [`SPAN`].
const FEW: u32 = 10;
const SPAN: Duration = Duration::from_secs(60);

/// Lets a few of many like events into the log: a server that fails with each request, as its owner may have it do, must
/// not push everything else out of the journal.
#[derive(Debug, Default)]
pub struct Restraint(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Restraint {
    /// Whether an event of `now` is to be told; with the number of those that were not since the last one that was.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock();
        let is_fresh = told
            .since
            .is_some_and(|since| now.saturating_duration_since(since) < SPAN);
        if !is_fresh {
            told.since = Some(now);
            told.told = 0;
        }
        if told.told == FEW {
            told.untold += 1;
            return None;
        }
        told.told += 1;
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_and_the_others_are_counted_until_the_next_that_is() {
        let (restraint, start) = (Restraint::default(), Instant::now());
        let told = |seconds| restraint.admit(start + Duration::from_secs(seconds));
        assert!((0..10).all(|_| told(0) == Some(0)));
        assert!((1..60).all(|second| told(second).is_none()));
        assert_eq!((told(60), told(60)), (Some(59), Some(0)));
    }

    #[test]
    fn each_fault_has_a_name_of_its_own() {
        let mut names = Fault::ALL.map(Fault::as_str);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, place);
        }
    }
}
