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
pub struct Upload(Option<Box<Coming>>);

/// A body that comes. In a box: a request goes from hand to hand, and most have none.
struct Coming {
    body: Incoming,
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
    pub fn none() -> Self {
        Self(None)
    }

    /// The body of a request as it comes.
    pub fn new(body: Incoming, route: Arc<Route>) -> Self {
        let hold = None;
        let coming = Coming { body, route, hold };
        Self(Some(Box::new(coming)).filter(|coming| !coming.body.is_end_stream()))
    }
}

/// Holds the body of a request back until the backend asks for it.
pub fn await_continue(request: &mut Request<Upload>) {
    let continued = Arc::new(AtomicBool::new(false));
    let Some(coming) = &mut request.body_mut().0 else {
        return;
    };
    coming.hold = Some(Hold {
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
        let Some(coming) = &mut self.0 else {
            return Poll::Ready(None);
        };
        if let Some(hold) = &mut coming.hold {
            // Who reads the backend's answer reads this body next, and needs not be woken.
            if !hold.continued.load(Ordering::Relaxed) {
                ready!(hold.patience.as_mut().poll(cx));
            }
            coming.hold = None;
        }
        let frame = ready!(Pin::new(&mut coming.body).poll_frame(cx));
        let frame = frame.filter(|frame| !matches!(frame, Ok(frame) if frame.is_trailers()));
        if frame.is_some() {
            coming.route.touch();
        } else {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let coming = self.0.as_ref();
        coming.is_none_or(|coming| coming.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let coming = self.0.as_ref();
        coming.map_or_else(|| SizeHint::with_exact(0), |coming| coming.body.size_hint())
    }
}
