//! What goes wrong with requests and connections, and who caused it: for the log and for the figures.

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
