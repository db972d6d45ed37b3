//! What can go wrong with a request, who caused it, and what of it may be logged.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use http::request::Parts;
use http::{Method, StatusCode, Uri};

use crate::fault::Fault;
use crate::metrics;
use crate::routes::Route;

/// Why a request has no answer of its backend.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("could not look up the target")]
    Lookup(#[source] io::Error),
    #[error("targets with https are not served")]
    Tls,
    #[error("could not connect")]
    Connect(#[source] io::Error),
    #[error("{}", describe(.0))]
    Backend(#[source] hyper::Error),
    #[error("the answer cannot be passed on")]
    Answer,
    #[error("the request ended before its end")]
    Client(#[source] hyper::Error),
}

/// What a line in the log speaks of.
pub struct Subject {
    /// Where the request went.
    pub route: Arc<Route>,
    method: Method,
    uri: Uri,
    status: StatusCode,
    client: IpAddr,
}

impl Subject {
    /// A request that came from `client` and went to `route`, and that is answered with `status`.
    pub fn new(route: &Arc<Route>, request: &Parts, status: StatusCode, client: IpAddr) -> Self {
        Self {
            route: route.clone(),
            method: request.method.clone(),
            uri: request.uri.clone(),
            status,
            client,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the query: it may hold a token.
        // Bytes beyond ASCII may hold what a terminal obeys.
        let path = self.uri.path().escape_debug();
        write!(f, "{} {path} from {}", self.method, self.client)
    }
}

impl Failure {
    /// Whether the backend may only be restarting, and the request can be sent to it again.
    pub fn may_pass(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Lookup(_) | Self::Connect(_) => true,
            Self::Backend(error) => is_repeatable && !error.is_parse(),
            Self::Tls | Self::Answer | Self::Client(_) => false,
        }
    }

    /// What it is in the figures and in the journal.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Lookup(_) => Fault::Lookup,
            Self::Tls => Fault::Unsupported,
            Self::Connect(_) => Fault::Connect,
            Self::Backend(error) if error.is_parse() => Fault::InvalidAnswer,
            Self::Backend(_) => Fault::NoAnswer,
            Self::Answer => Fault::InvalidAnswer,
            Self::Client(_) => Fault::Incomplete,
        }
    }

    /// Says in the log what failed, and counts it.
    pub fn log(&self, subject: &Subject) {
        let (fault, route) = (self.fault(), &subject.route);
        if !matches!(self, Self::Client(_)) {
            return tell(fault, subject, &format!("{self}{}", io_cause(self)));
        }
        metrics::failed(fault);
        log::debug!(
            TLJH_CAUSE = fault.cause().as_str(),
            TLJH_REASON = fault.as_str(),
            TLJH_ROUTE:% = route.prefix.escape_debug(),
            TLJH_STATUS = subject.status.as_u16();
            "{subject}: client: {self}{}", io_cause(self)
        );
    }
}

/// Says in the log that an answer broke off, and counts it.
pub fn log_broken(error: &hyper::Error, subject: &Subject) {
    let what = format!("the answer broke off{}", io_cause(error));
    tell(Fault::BrokenAnswer, subject, &what);
}

/// Counts what a backend did not do, and says so in the log, unless there was much of it from the same one.
fn tell(fault: Fault, subject: &Subject, what: &str) {
    metrics::failed(fault);
    let route = &subject.route;
    let Some(untold) = route.restraint.admit(Instant::now()) else {
        return;
    };
    let upstream = format!("{}:{}", route.host, route.port);
    let more = match untold {
        0 => String::new(),
        untold => format!("; before that, {untold} failures of this route were not logged"),
    };
    log::warn!(
        TLJH_CAUSE = fault.cause().as_str(),
        TLJH_REASON = fault.as_str(),
        TLJH_ROUTE:% = route.prefix.escape_debug(),
        TLJH_UPSTREAM = upstream.as_str(),
        TLJH_STATUS = subject.status.as_u16();
        "{subject}: backend {upstream}: {what}{more}"
    );
}

/// In words of ours: those of hyper are sure to quote nothing of a message, but are not made for administrators.
fn describe(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "the answer is not valid HTTP"
    } else if error.is_incomplete_message() {
        "closed the connection without an answer"
    } else {
        "the connection broke"
    }
}

/// The system's error at the root, which quotes nothing of a message, as the end of a line.
fn io_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return format!(": {}", io.kind());
        }
        cause = error.source();
    }
    String::new()
}
