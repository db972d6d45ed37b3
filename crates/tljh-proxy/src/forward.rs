//! Requests and answers, passed on as they are.
//!
//! Nothing is buffered or limited, and no time-out ends a connection that is merely quiet: TCP keep-alive finds
//! peers that are gone. Requests to a hub that restarts wait for it. The target of a request is sent on byte for byte.
//! What is added
//! are CHP's `X-Forwarded-*`, which tell where a request comes from.

mod answer;
mod backend;
mod failure;
mod headers;
mod host;
mod hub_page;
mod multiplexed;
mod origin;
mod outgoing;
mod patience;
mod pool;
mod relay;
mod secure_relay;
mod upload;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;

use crate::client::{BodyLength, Client, ClientStream, Transport, UnderWay};
use crate::fault::Fault;
use crate::https::Front;
use crate::metrics::{self, Thing, Upstream};
use crate::pages::{self, Page};
use crate::routes::{Route, Table};
use crate::turn;
use answer::Answer;
use backend::{Backend, Peer};
use failure::{Failure, Subject};
use host::{has_one_host, host_of};
use origin::Origin;
pub use origin::Trust;
use outgoing::Outgoing;
use patience::{Patience, Queue};
use pool::Pool;
use relay::relay;
use upload::Upload;

/// How often a request is sent again to a hub that took it and closed without an answer. A hub that restarts does so
/// once or twice; one that fails over this very request is to be spared it.
const REPEATS: u32 = 5;

/// The proxy of one thread.
pub struct Forward {
    table: Arc<Table>,
    front: Arc<Front>,
    trust: Arc<Trust>,
    pool: Arc<Pool>,
    queue: Queue,
    /// Held by each connection whose protocol was changed, so that its end can be waited for.
    relays: watch::Receiver<()>,
}

/// An answer, and the connection on which its body comes.
type Answered = (Response<Incoming>, Box<Backend>);

impl Forward {
    /// A proxy for these routes, without any connection to a backend yet. Each connection whose protocol was changed
    /// holds a clone of `relays` until it ends.
    pub fn new(
        table: Arc<Table>,
        front: Arc<Front>,
        trust: Arc<Trust>,
        relays: watch::Receiver<()>,
    ) -> Self {
        Self {
            table,
            front,
            trust,
            pool: Arc::default(),
            queue: Queue::default(),
            relays,
        }
    }

    /// Lets go of connections to backends that were not used for long. To be run beside the proxy.
    pub fn keep_tidy(&self) -> impl Future<Output = ()> + use<> {
        self.pool.clone().keep_tidy()
    }

    /// Answers one request of `client`.
    pub async fn answer(
        &self,
        client: &Arc<Client>,
        request: Request<Incoming>,
    ) -> Response<Answer> {
        turn::passed_on();
        let (began, mut upstream) = (Instant::now(), Upstream::Proxy);
        let mut answer = self.respond(client, request, &mut upstream).await;
        metrics::answered(upstream, answer.status(), began.elapsed());
        turn::passed_on();
        if client.is_secure
            && let Some(hsts) = self.front.hsts()
        {
            let headers = answer.headers_mut();
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        answer
    }

    /// Answers a request, and says who has: nobody but the proxy, unless `upstream` is changed.
    async fn respond(
        &self,
        client: &Arc<Client>,
        request: Request<Incoming>,
        upstream: &mut Upstream,
    ) -> Response<Answer> {
        let (mut parts, body) = request.into_parts();
        let is_multiplexed = parts.version == Version::HTTP_2;
        let (under_way, length) = if is_multiplexed {
            client.begin_stream(&parts.headers, body.is_end_stream())
        } else {
            client.begin_request(&parts.headers)
        };
        if is_multiplexed && let Err(status) = multiplexed::unfold(&mut parts) {
            return refuse(status, under_way);
        }
        let length = match length {
            Ok(length) if has_one_host(&parts) => length,
            _ => return refuse(StatusCode::BAD_REQUEST, under_way),
        };
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, under_way);
        }
        if parts.uri == "/_chp_healthz" {
            return whole(pages::healthy(), under_way);
        }
        if let Some(answer) = self.front.challenge(&parts) {
            return whole(answer, under_way);
        }
        let origin = Origin::new(&parts.headers, client, &self.trust);
        if !(client.is_secure || origin.is_secure)
            && let Some(answer) = self.front.redirect(&parts)
        {
            return whole(answer, under_way);
        }
        let on_client = parts.extensions.remove::<OnUpgrade>();
        let mut body = Some(body);
        let mut repeats = REPEATS;
        let limit = self.table.rules().hub_wait;
        let mut patience = Patience::new(&self.queue, limit, Some(client));
        let (route, answered) = loop {
            let route = match self.route_of(&parts) {
                Ok(route) => route,
                Err(page) => {
                    patience.end_turn();
                    if page == Page::HubStarting && patience.rest().await {
                        continue;
                    }
                    let page = self.page(page, &parts, origin.address, under_way);
                    return Box::pin(page).await;
                }
            };
            let outgoing = Outgoing::new(&parts, length, &route, &origin);
            if !outgoing.fits() {
                return refuse(StatusCode::URI_TOO_LONG, under_way);
            }
            let repeatable = outgoing.is_repeatable();
            let request = |body| outgoing.request(body);
            let answered = self
                .send(&route, repeatable, &mut body, &mut patience, request)
                .await
                .and_then(|answered| check(answered, &outgoing));
            let again = match &answered {
                Err(failure) if route.is_hub() => failure.may_pass(repeatable && repeats > 0),
                _ => false,
            };
            if matches!(answered, Err(Failure::Backend(_))) {
                repeats = repeats.saturating_sub(1);
            }
            if !again || !patience.await_turn().await {
                break (route, answered);
            }
        };
        if answered.is_ok() {
            *upstream = if route.is_hub() {
                Upstream::Hub
            } else {
                Upstream::Server
            };
        }
        match answered {
            Ok((answer, backend)) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.switch(answer, backend, on_client, route, under_way)
            }
            Ok((answer, backend)) => {
                let (mut head, body) = answer.into_parts();
                head.version = Version::HTTP_11;
                head.headers = headers::into_end_to_end(head.headers);
                if length == BodyLength::Chunked && !is_multiplexed {
                    // Where another request would begin is not known for sure.
                    close_after(&mut head.headers);
                }
                // As CHP: an answer that says "no" or "elsewhere" is not use of the server.
                let counts = head.status.is_success();
                if counts {
                    route.touch();
                }
                let status = head.status;
                let subject = || Subject::new(&route, &parts, status, origin.address);
                let body = Answer::coming(body, backend, &self.pool, subject, counts, under_way);
                Response::from_parts(head, body)
            }
            Err(failure) => {
                drop(patience);
                let page = match failure {
                    Failure::Client(_) => None,
                    _ if route.is_hub() => Some(Page::HubStarting),
                    _ => Some(Page::ServerSilent),
                };
                let status = page.map_or(StatusCode::BAD_REQUEST, Page::status);
                failure.log(&Subject::new(&route, &parts, status, origin.address));
                match page {
                    Some(page) => {
                        Box::pin(self.page(page, &parts, origin.address, under_way)).await
                    }
                    None => end_with(status, under_way),
                }
            }
        }
    }

    fn route_of(&self, request: &Parts) -> Result<Arc<Route>, Page> {
        if self.table.is_frozen() {
            self.table.follow();
        }
        let routes = self.table.current();
        let host = self.table.rules().host_routing.then(|| host_of(request));
        match routes.find(request.uri.path().as_bytes(), host.as_deref()) {
            Some(route) => Ok(route.clone()),
            None if routes.is_empty() => Err(Page::HubStarting),
            None => Err(Page::NotFound),
        }
    }

    /// Sends a request, and waits for the head of its answer.
    ///
    /// A backend may close a kept connection at the moment it is used again. A request that can simply be sent once
    /// more takes that risk; any other gets a connection of its own. The body is left alone until there is one.
    async fn send(
        &self,
        route: &Arc<Route>,
        repeatable: bool,
        body: &mut Option<Incoming>,
        patience: &mut Patience<'_>,
        request: impl Fn(Upload) -> Request<Upload>,
    ) -> Result<Answered, Failure> {
        let peer = Peer {
            route: route.id,
            address: address_of(route).await?,
        };
        if repeatable && let Some(mut backend) = self.pool.take(peer) {
            patience.end_turn();
            match backend.send(request(Upload::none())).await {
                Ok(answer) => return Ok((answer, backend)),
                Err(error) if error.error().is_parse() => {
                    return Err(Failure::Backend(error.into_error()));
                }
                Err(_) => {}
            }
        }
        let mut backend = Box::pin(Backend::connect(peer)).await?;
        patience.end_turn();
        let upload = match body.take() {
            Some(body) => Upload::new(body, route.clone()),
            None => Upload::none(),
        };
        match backend.send(request(upload)).await {
            Ok(answer) => Ok((answer, backend)),
            Err(error) if error.error().is_user() => Err(Failure::Client(error.into_error())),
            Err(error) => Err(Failure::Backend(error.into_error())),
        }
    }

    /// Passes a change of protocol on, and all that comes behind it.
    fn switch(
        &self,
        answer: Response<Incoming>,
        backend: Box<Backend>,
        on_client: Option<OnUpgrade>,
        route: Arc<Route>,
        under_way: UnderWay,
    ) -> Response<Answer> {
        let (mut head, _) = answer.into_parts();
        let protocol = head.headers.remove(header::UPGRADE);
        head.version = Version::HTTP_11;
        head.headers = headers::into_end_to_end(head.headers);
        if let Some(protocol) = protocol {
            headers::set_upgrade(&mut head.headers, protocol);
        }
        route.touch();
        let relayed = self.relays.clone();
        tokio::spawn(async move {
            let _relayed = relayed;
            let _open = metrics::begin(Thing::WebSocket);
            // Either side may be gone by now; the other one is closed with what is dropped here.
            let client = on_client?.await.ok()?;
            let client = client.downcast::<TokioIo<ClientStream>>().ok()?;
            let backend = backend.into_upgraded().await.ok()?;
            let read = client.read_buf;
            match client.io.into_inner().into_inner() {
                Transport::Plain(stream) => relay((stream, read), backend, &route).await,
                Transport::Local(stream) => relay((stream, read), backend, &route).await,
                Transport::Secure(stream) => {
                    secure_relay::relay((stream, read), backend, &route).await;
                }
            }
            Some(())
        });
        Response::from_parts(head, Answer::whole(Bytes::new(), under_way))
    }
}

/// Refuses answers that cannot be passed on as they were read, and makes the length of the others that of their body:
/// `Content-Length` once, and not at all beside `Transfer-Encoding`, which alone counts then (RFC 9112, section 6.3).
fn check((mut answer, backend): Answered, sent: &Outgoing<'_>) -> Result<Answered, Failure> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS && !sent.is_upgrade() {
        return Err(Failure::Answer);
    }
    let headers = answer.headers_mut();
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        if encodings.next().is_some() || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Failure::Answer);
        }
        headers.remove(header::CONTENT_LENGTH);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if let (Some(length), Some(_)) = (lengths.next(), lengths.next()) {
        let length = length.clone();
        headers.insert(header::CONTENT_LENGTH, length);
    }
    Ok((answer, backend))
}

/// An answer of ours.
fn whole(answer: Response<Bytes>, under_way: UnderWay) -> Response<Answer> {
    answer.map(|body| Answer::whole(body, under_way))
}

/// Says no, and closes the connection: what follows may not be what it seems. On a connection of HTTP/2 that ends the
/// request alone, whose frames leave no doubt; hyper knows not to send the header there.
fn refuse(status: StatusCode, under_way: UnderWay) -> Response<Answer> {
    let fault = Fault::Refused;
    metrics::failed(fault);
    log::debug!(
        TLJH_CAUSE = fault.cause().as_str(),
        TLJH_REASON = fault.as_str(),
        TLJH_STATUS = status.as_u16();
        "client: refused with {status}"
    );
    end_with(status, under_way)
}

/// An answer after which nothing is read from the connection.
fn end_with(status: StatusCode, under_way: UnderWay) -> Response<Answer> {
    let mut answer = Response::new(Answer::whole(Bytes::new(), under_way));
    *answer.status_mut() = status;
    close_after(answer.headers_mut());
    answer
}

fn close_after(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

async fn address_of(route: &Route) -> Result<SocketAddr, Failure> {
    if route.tls {
        return Err(Failure::Tls);
    }
    if let Some(address) = route.address {
        return Ok(address);
    }
    let mut found = tokio::net::lookup_host((route.host.as_str(), route.port))
        .await
        .map_err(Failure::Lookup)?;
    found
        .next()
        .ok_or_else(|| Failure::Lookup(io::ErrorKind::NotFound.into()))
}
