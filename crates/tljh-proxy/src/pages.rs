//! The pages that the proxy answers itself: short, self-contained, with nothing of the request in them.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};

/// One of the proxy's own answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The hub does not answer, or has not told any route yet.
    HubStarting,
    /// The server of a route does not answer.
    ServerSilent,
    /// No route matches.
    NotFound,
}

impl Page {
    /// The status that goes with the page.
    pub fn status(self) -> StatusCode {
        match self {
            Self::HubStarting | Self::ServerSilent => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    fn html(self) -> &'static str {
        match self {
            Self::HubStarting => include_str!("pages/hub-starting.html"),
            Self::ServerSilent => include_str!("pages/server-silent.html"),
            Self::NotFound => include_str!("pages/not-found.html"),
        }
    }

    /// The page as the answer to a request; one to change the protocol gets the status without it.
    pub fn answer(self, request: &Parts) -> Response<Bytes> {
        let with_page = !request.headers.contains_key(header::UPGRADE);
        let html = if with_page { self.html() } else { "" };
        let without_body = request.method == Method::HEAD;
        let mut answer = Response::new(Bytes::from_static(if without_body {
            b""
        } else {
            html.as_bytes()
        }));
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_LENGTH, html.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if with_page {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            );
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
        }
        answer
    }
}

/// The answer to a health check, as CHP gives it.
pub fn healthy() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(br#"{"status":"OK"}"#));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    answer
}
