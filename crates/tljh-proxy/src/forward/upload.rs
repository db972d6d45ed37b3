//! The body of a request, on its way to the backend.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::routes::Route;

/// How long a backend gets to ask for the body of a client that waits for being asked. Not every backend knows how
/// (RFC 9110, section 10.1.1); curl waits as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request's body, or none. What passes counts as activity of the route.
pub struct Upload {
    body: Option<Incoming>,
    route: Arc<Route>,
    hold: Option<Hold>,
}

/// Keeps a body back until the backend has answered `100 Continue`, which hyper passes on once the body is read.
struct Hold {
    continued: Arc<AtomicBool>,
    patience: Pin<Box<Sleep>>,
}

impl Upload {
    /// No body.
    pub fn none(route: Arc<Route>) -> Self {
        Self {
            body: None,
            route,
            hold: None,
        }
    }

    /// The body of a request as it comes.
    pub fn new(body: Incoming, route: Arc<Route>) -> Self {
        let body = Some(body).filter(|body| !body.is_end_stream());
        Self {
            body,
            route,
            hold: None,
        }
    }
}

/// Holds the body of a request back until the backend asks for it.
pub fn await_continue(request: &mut Request<Upload>) {
    let continued = Arc::new(AtomicBool::new(false));
    request.body_mut().hold = Some(Hold {
        continued: continued.clone(),
        patience: Box::pin(sleep(PATIENCE)),
    });
    hyper::ext::on_informational(request, move |answer| {
        if answer.status() == http::StatusCode::CONTINUE {
            continued.store(true, Ordering::Relaxed);
        }
    });
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let Some(hold) = &mut this.hold {
            // Who reads the backend's answer reads this body next, and needs not be woken.
            if !hold.continued.load(Ordering::Relaxed) {
                ready!(hold.patience.as_mut().poll(cx));
            }
            this.hold = None;
        }
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        let frame = frame.filter(|frame| !matches!(frame, Ok(frame) if frame.is_trailers()));
        if frame.is_some() {
            this.route.touch();
        } else {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
