//! Requests and answers, passed on as they are.
//!
//! Nothing is buffered or limited, and no time-out ends a connection that is merely quiet: TCP keep-alive finds
//! peers that are gone. The target of a request is sent on byte for byte. What is added are CHP's `X-Forwarded-*`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use pingora_core::protocols::l4::ext::TcpKeepalive;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, OrErr as _, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use tokio::sync::watch;

use crate::pages::{self, Page};
use crate::routes::{Route, Table};

/// A backend on this machine answers at once or not at all; one elsewhere gets this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection to a backend is kept. Tornado, on which the backends are built, keeps its end longer.
const POOLED: Duration = Duration::from_secs(60);

/// What finds a peer that is gone without a word: after a minute of silence, four probes, a quarter of a minute apart.
pub fn tcp_keepalive() -> TcpKeepalive {
    TcpKeepalive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(15),
        count: 4,
        user_timeout: Duration::ZERO,
    }
}

/// The proxy as pingora drives it.
pub struct Forward {
    table: Arc<Table>,
    /// Each request under way that has not become a WebSocket holds a receiver; the stop waits for them.
    pub under_way: watch::Sender<()>,
}

impl Forward {
    /// A proxy for these routes.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            under_way: watch::channel(()).0,
        }
    }
}

/// One request.
pub struct Request {
    route: Option<Arc<Route>>,
    under_way: Option<watch::Receiver<()>>,
}

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = Request;

    fn new_ctx(&self) -> Request {
        Request {
            route: None,
            under_way: Some(self.under_way.subscribe()),
        }
    }

    /// No module: the default one is for compression, which is the backend's business.
    fn init_downstream_modules(&self, _: &mut pingora_core::modules::http::HttpModules) {}

    async fn request_filter(&self, session: &mut Session, request: &mut Request) -> Result<bool> {
        // pingora's 60 seconds would end an idle WebSocket and a paused upload.
        session.set_read_timeout(None);
        let routes = self.table.current();
        let target = session.req_header().raw_path();
        request.route = routes.find(target).cloned();
        if target == b"/_chp_healthz" {
            pages::respond_healthy(session).await?;
        } else if request.route.is_none() {
            let page = if routes.is_empty() {
                Page::HubStarting
            } else {
                Page::NotFound
            };
            pages::respond(session, page).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        request: &mut Request,
    ) -> Result<Box<HttpPeer>> {
        let route = request
            .route
            .as_ref()
            .ok_or_else(|| Error::new_in(ErrorType::InternalError))?;
        let mut peer = HttpPeer::new(address_of(route).await?, false, String::new());
        peer.options.connection_timeout = Some(CONNECT_TIMEOUT);
        peer.options.idle_timeout = Some(POOLED);
        peer.options.tcp_keepalive = Some(tcp_keepalive());
        // A backend may close a kept connection at the moment it is used again. A request that can simply be sent once
        // more takes that risk; any other gets a connection of its own.
        if !session.req_header().method.is_idempotent() || !session.is_body_empty() {
            peer.group_key = own_connection();
            peer.options.idle_timeout = Some(Duration::ZERO);
        }
        Ok(Box::new(peer))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        outgoing: &mut RequestHeader,
        request: &mut Request,
    ) -> Result<()> {
        if let Some(base) = request
            .route
            .as_ref()
            .map(|route| &route.base)
            .filter(|base| !base.is_empty())
        {
            let target = [base.as_bytes(), outgoing.raw_path()].concat();
            outgoing.set_raw_path(&target)?;
        }
        let client = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|address| address.ip().to_canonical());
        add_forwarded(
            outgoing,
            client.map(|ip| ip.to_string()).unwrap_or_default(),
        )
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        _: bool,
        request: &mut Request,
    ) -> Result<()> {
        if body.as_ref().is_some_and(|part| !part.is_empty()) {
            touch(request);
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        request: &mut Request,
    ) -> Result<()> {
        if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
            request.under_way = None;
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        request: &mut Request,
    ) -> Result<Option<Duration>> {
        if session.was_upgraded() {
            touch(request);
        }
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        request: &mut Request,
    ) -> FailToProxy {
        let answered = session
            .response_written()
            .is_some_and(|header| !header.status.is_informational());
        let code = match error.esource() {
            _ if answered => 0,
            ErrorSource::Upstream => 503,
            ErrorSource::Downstream => match error.etype() {
                ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed => 0,
                _ => 400,
            },
            ErrorSource::Internal | ErrorSource::Unset => 500,
        };
        let sent = match code {
            0 => Ok(()),
            503 => pages::respond(session, silent_page(request)).await,
            code => session.respond_error(code).await,
        };
        FailToProxy {
            error_code: if sent.is_ok() { code } else { 0 },
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, request: &mut Request) {
        // As CHP: an answer that says "no" or "elsewhere" is not use of the server.
        if session
            .response_written()
            .is_some_and(|header| header.status.is_success())
        {
            touch(request);
        }
        if let Some(error) = error {
            log_failure(session, error, request);
        }
    }

    // pingora's own lines may hold parts of the request or answer.
    fn suppress_error_log(&self, _: &Session, _: &Request, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Request,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, session: &Session, _: &Request) -> String {
        summary(session)
    }
}

fn touch(request: &Request) {
    if let Some(route) = &request.route {
        route.touch();
    }
}

/// A key that no other connection in the pool has.
fn own_connection() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn address_of(route: &Route) -> Result<SocketAddr> {
    if let Some(address) = route.address {
        return Ok(address);
    }
    let mut found = tokio::net::lookup_host((route.host.as_str(), route.port))
        .await
        .or_err(ErrorType::ConnectNoRoute, "looking up the target")
        .map_err(Error::into_up)?;
    found
        .next()
        .ok_or_else(|| Error::new_up(ErrorType::ConnectNoRoute))
}

fn silent_page(request: &Request) -> Page {
    match &request.route {
        Some(route) if !route.is_hub() => Page::ServerSilent,
        _ => Page::HubStarting,
    }
}

/// Adds `X-Forwarded-For`, `-Port` and `-Proto`, each behind what is there, and `-Host` if there is none.
fn add_forwarded(outgoing: &mut RequestHeader, client: String) -> Result<()> {
    let host = outgoing
        .headers
        .get(header::HOST)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static(""));
    let port = host
        .to_str()
        .ok()
        .and_then(port_of)
        .unwrap_or("80")
        .to_string();
    append(
        outgoing,
        HeaderName::from_static("x-forwarded-for"),
        &client,
    )?;
    append(outgoing, HeaderName::from_static("x-forwarded-port"), &port)?;
    append(
        outgoing,
        HeaderName::from_static("x-forwarded-proto"),
        "http",
    )?;
    if !outgoing.headers.contains_key("x-forwarded-host") {
        outgoing.insert_header("x-forwarded-host", host)?;
    }
    Ok(())
}

fn append(outgoing: &mut RequestHeader, name: HeaderName, value: &str) -> Result<()> {
    let mut all = Vec::new();
    for before in outgoing.headers.get_all(&name) {
        all.extend_from_slice(before.as_bytes());
        all.push(b',');
    }
    all.extend_from_slice(value.as_bytes());
    let all = HeaderValue::from_bytes(&all)
        .or_err(ErrorType::InvalidHTTPHeader, "joining a forwarded header")?;
    outgoing.insert_header(name, all)
}

/// The port in a `Host` header; the colons of an IPv6 address are none.
fn port_of(host: &str) -> Option<&str> {
    let (_, port) = host.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
}

/// Method and path of a request. Never its query, which may hold a token.
fn summary(session: &Session) -> String {
    let header = session.req_header();
    let path = header
        .raw_path()
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default();
    format!("{} {}", header.method, String::from_utf8_lossy(path))
}

fn log_failure(session: &Session, error: &Error, request: &Request) {
    let what = error.etype().as_str();
    let summary = summary(session);
    match error.esource() {
        ErrorSource::Upstream => {
            let target = request
                .route
                .as_ref()
                .map(|route| format!("{}:{}", route.host, route.port));
            let cause = io_cause(error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            log::warn!(
                "{summary}: backend {}: {what}{cause}",
                target.unwrap_or_default()
            );
        }
        ErrorSource::Downstream => log::debug!("{summary}: client: {what}"),
        ErrorSource::Internal | ErrorSource::Unset => log::error!("{summary}: proxy: {what}"),
    }
}

/// The system's error at the root, which alone is sure to quote nothing of a message.
fn io_cause(error: &Error) -> Option<String> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io.kind().to_string());
        }
        cause = cause.source()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_host_header_is_what_follows_its_last_colon() {
        assert_eq!(port_of("hub.example.org:8080"), Some("8080"));
        assert_eq!(port_of("[::1]:81"), Some("81"));
        assert_eq!(port_of("[::1]"), None);
        assert_eq!(port_of("hub.example.org"), None);
    }

    #[test]
    fn forwarded_headers_go_behind_those_of_another_proxy() {
        let mut outgoing = RequestHeader::build("GET", b"/", None).unwrap();
        outgoing.insert_header("host", "hub:81").unwrap();
        outgoing
            .append_header("x-forwarded-for", "1.1.1.1")
            .unwrap();
        outgoing
            .append_header("x-forwarded-for", "2.2.2.2")
            .unwrap();
        outgoing.append_header("x-forwarded-host", "outer").unwrap();
        add_forwarded(&mut outgoing, "3.3.3.3".into()).unwrap();
        let value = |name: &str| {
            outgoing
                .headers
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_string()
        };
        assert_eq!(value("x-forwarded-for"), "1.1.1.1,2.2.2.2,3.3.3.3");
        assert_eq!(value("x-forwarded-port"), "81");
        assert_eq!(value("x-forwarded-proto"), "http");
        assert_eq!(value("x-forwarded-host"), "outer");
    }
}
