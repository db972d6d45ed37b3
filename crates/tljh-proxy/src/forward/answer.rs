//! The body of an answer, on its way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::backend::{Backend, Part, poll_arrived};
use super::failure::{Subject, log_broken};
use super::pool::Pool;
use crate::client::UnderWay;

/// A body that is there, or one that still comes from a backend.
pub struct Answer {
    body: AnswerBody,
    // The request ends when this is dropped with the answer.
    under_way: UnderWay,
}

enum AnswerBody {
    Whole(Option<Bytes>),
    Coming(Box<Coming>),
    /// hyper throws away what it has not written when a body fails; the client is to get what there was.
    Broken {
        error: Option<hyper::Error>,
        flushes: Option<u64>,
    },
}

struct Coming {
    first: Option<Result<Bytes, hyper::Error>>,
    body: Incoming,
    backend: Option<Box<Backend>>,
    pool: Arc<Pool>,
    subject: Subject,
    counts: bool,
}

impl Answer {
    /// A body of ours.
    pub fn whole(body: Bytes, under_way: UnderWay) -> Self {
        let body = AnswerBody::Whole(Some(body).filter(|body| !body.is_empty()));
        Self { body, under_way }
    }

    /// The body that `backend` sends. The backend goes to `pool` at its end; a body that came together with its head
    /// ends here and now. It `counts` as activity of the route when it ends, or not.
    pub fn coming(
        mut body: Incoming,
        backend: Box<Backend>,
        pool: &Arc<Pool>,
        subject: impl FnOnce() -> Subject,
        counts: bool,
        under_way: UnderWay,
    ) -> Self {
        let first = if body.is_end_stream() {
            Poll::Ready(None)
        } else {
            poll_arrived(&mut body)
        };
        let first = match first {
            Poll::Ready(None) => {
                pool.put(backend);
                return Self::whole(Bytes::new(), under_way);
            }
            Poll::Ready(Some(Ok(part))) if body.is_end_stream() => {
                pool.put(backend);
                return Self::whole(part, under_way);
            }
            Poll::Ready(first) => first,
            Poll::Pending => None,
        };
        let coming = Coming {
            first,
            body,
            backend: Some(backend),
            pool: pool.clone(),
            subject: subject(),
            counts,
        };
        Self {
            body: AnswerBody::Coming(Box::new(coming)),
            under_way,
        }
    }
}

impl Coming {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let part = match &mut self.backend {
            Some(backend) => ready!(backend.poll_part(&mut self.body, cx)),
            None => None,
        };
        match &part {
            Some(Err(_)) => self.backend = None,
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            _ => {
                if let Some(backend) = self.backend.take() {
                    self.pool.put(backend);
                }
                if self.counts {
                    self.subject.route.touch();
                }
            }
        }
        Poll::Ready(part)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let AnswerBody::Coming(coming) = &mut this.body {
            match ready!(coming.poll_part(cx)) {
                Some(Err(error)) => {
                    log_broken(&error, &coming.subject);
                    this.body = AnswerBody::Broken {
                        error: Some(error),
                        flushes: None,
                    };
                }
                part => return Poll::Ready(part.map(|part| part.map(Frame::data))),
            }
        }
        let part = match &mut this.body {
            AnswerBody::Whole(body) => body.take().map(Ok),
            AnswerBody::Broken { error, flushes } => {
                ready!(this.under_way.poll_flushed(flushes, cx));
                error.take().map(Err)
            }
            AnswerBody::Coming(_) => None,
        };
        Poll::Ready(part.map(|part| part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            AnswerBody::Whole(body) => body.is_none(),
            AnswerBody::Coming(coming) => coming.first.is_none() && coming.body.is_end_stream(),
            AnswerBody::Broken { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            AnswerBody::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            AnswerBody::Broken { .. } => SizeHint::default(),
            AnswerBody::Coming(coming) => {
                let first = coming.first.as_ref().and_then(|first| first.as_ref().ok());
                let first = first.map_or(0, |first| first.len() as u64);
                match coming.body.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(first + rest),
                    None => SizeHint::default(),
                }
            }
        }
    }
}
