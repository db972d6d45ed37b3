//! The pages that the proxy answers itself: short, self-contained, with nothing of the request in them.

use bytes::Bytes;
use http::{StatusCode, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

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
}

/// Answers with a page; a request to change the protocol gets the status without it.
pub async fn respond(session: &mut Session, page: Page) -> Result<()> {
    let with_body = !session.is_upgrade_req();
    let body = if with_body { page.html() } else { "" };
    let mut header = ResponseHeader::build(page.status(), Some(5))?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    header.insert_header(header::CACHE_CONTROL, "no-store")?;
    if with_body {
        header.insert_header(header::CONTENT_TYPE, "text/html; charset=utf-8")?;
    }
    if page.status() == StatusCode::SERVICE_UNAVAILABLE {
        header.insert_header(header::RETRY_AFTER, "3")?;
    }
    write(session, header, body.as_bytes()).await
}

/// Answers a health check, as CHP answers it.
pub async fn respond_healthy(session: &mut Session) -> Result<()> {
    let body = br#"{"status":"OK"}"#;
    let mut header = ResponseHeader::build(StatusCode::OK, Some(2))?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    header.insert_header(header::CONTENT_TYPE, "application/json")?;
    write(session, header, body).await
}

async fn write(session: &mut Session, header: ResponseHeader, body: &'static [u8]) -> Result<()> {
    let without_body = body.is_empty() || session.req_header().method == http::Method::HEAD;
    session
        .write_response_header(Box::new(header), without_body)
        .await?;
    if without_body {
        return Ok(());
    }
    session
        .write_response_body(Some(Bytes::from_static(body)), true)
        .await
}
