//! What can go wrong with a request, who caused it, and what of it may be logged.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::{fmt, io};

use http::request::Parts;
use http::{Method, Uri};

use super::origin::Origin;
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
    client: Option<IpAddr>,
}

impl Subject {
    /// A request that went to `route`.
    pub fn new(route: &Arc<Route>, request: &Parts) -> Self {
        Self {
            route: route.clone(),
            method: request.method.clone(),
            uri: request.uri.clone(),
            client: request
                .extensions
                .get()
                .map(|origin: &Origin| origin.address),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the query: it may hold a token.
        // Bytes beyond ASCII may hold what a terminal obeys.
        write!(f, "{} {}", self.method, self.uri.path().escape_debug())?;
        self.client
            .map_or(Ok(()), |client| write!(f, " from {client}"))
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

    /// Says in the log what failed.
    pub fn log(&self, subject: &Subject) {
        let cause = io_cause(self);
        if matches!(self, Self::Client(_)) {
            log::debug!("{subject}: client: {self}{cause}");
        } else {
            let route = &subject.route;
            log::warn!(
                "{subject}: backend {}:{}: {self}{cause}",
                route.host,
                route.port
            );
        }
    }
}

/// Says in the log that an answer broke off.
pub fn log_broken(error: &hyper::Error, subject: &Subject) {
    let (route, cause) = (&subject.route, io_cause(error));
    log::warn!(
        "{subject}: backend {}:{}: the answer broke off{cause}",
        route.host,
        route.port
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
