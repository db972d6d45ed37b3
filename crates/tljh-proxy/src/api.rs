//! JupyterHub's proxy REST API, as configurable-http-proxy serves it.
//!
//! `GET /api/routes` lists all routes (`?inactiveSince=` those unused since then), `GET`, `POST` and `DELETE`
//! `/api/routes/PREFIX` concern one. Prefixes are unescaped before use. Every request needs the token, but for
//! `GET /metrics` from this machine: it shows the proxy's figures, and nothing about anybody.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};
use tljh_terminal::Secret;

use crate::client::{Client, FramingError};
use crate::fault::Fault;
use crate::metrics::{self, Exposition};
use crate::routes::{ChangeError, Route, Table, TargetError, parse_time};

/// A route is a few hundred bytes.
const BODY_LIMIT: usize = 1 << 20;

/// The API over a table of routes.
pub struct Api {
    table: Arc<Table>,
    token: Secret,
    figures: Exposition,
}

/// What keeps a request from being answered with 2xx, in the words of configurable-http-proxy, who has none for some.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("")]
    Token,
    #[error("Not Found")]
    NotFound,
    #[error("")]
    NoRoute,
    #[error("Method not supported")]
    Method,
    #[error("The route's path is not UTF-8")]
    Path,
    #[error("Invalid datestamp '{0}' must be ISO8601.")]
    Date(String),
    #[error("Body not valid JSON: {0}")]
    Json(serde_json::Error),
    #[error("Body too large")]
    TooLarge,
    #[error("Body not received")]
    Cut,
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Token => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Path
            | Self::Date(_)
            | Self::Json(_)
            | Self::Cut
            | Self::Framing(_)
            | Self::Target(_) => StatusCode::BAD_REQUEST,
            Self::Change(ChangeError::Frozen) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Change(ChangeError::Write { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

type Answer = Result<(StatusCode, Option<Value>), Refusal>;

impl Api {
    /// An API over this table, open to those who have the token, and these figures, open to everybody on this machine.
    pub fn new(table: Arc<Table>, token: Secret, figures: Exposition) -> Self {
        Self {
            table,
            token,
            figures,
        }
    }

    /// Answers one request of `client`.
    pub async fn answer(
        &self,
        client: &Arc<Client>,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let (_under_way, length) = client.begin_request(request.headers());
        if length.is_ok() && request.uri().path() == "/metrics" {
            return self.show(client, &request).await;
        }
        let method = request.method().clone();
        let answer = match length {
            Ok(_) => self.obey(request).await,
            Err(error) => Err(error.into()),
        };
        let (status, body, kind) = match answer {
            Ok((status, Some(value))) => (status, value.to_string(), "application/json"),
            Ok((status, None)) => (status, String::new(), ""),
            Err(refusal) => {
                if let Refusal::Change(error @ ChangeError::Write { .. }) = &refusal {
                    metrics::failed(Fault::Write);
                    log::error!(
                        TLJH_CAUSE = Fault::Write.cause().as_str(),
                        TLJH_REASON = Fault::Write.as_str();
                        "{}", tljh_terminal::render_error(error, None).trim_end()
                    );
                }
                (
                    refusal.status(),
                    refusal.to_string(),
                    "text/plain; charset=utf-8",
                )
            }
        };
        metrics::told(&method, status);
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Who asks again asks the successor.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        if !kind.is_empty() && !response.body().is_end_stream() {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        response
    }

    /// The figures. A process that was replaced shows its own to who has kept a connection to it, so that nobody asks in
    /// vain.
    async fn show(&self, client: &Client, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let status = if request.method() != Method::GET {
            StatusCode::METHOD_NOT_ALLOWED
        } else if is_local(client) || self.is_authorized(authorization(request.headers())) {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        if status == StatusCode::OK {
            *response.body_mut() = Full::from(self.figures.render().await);
            let kind = HeaderValue::from_static(metrics::TEXT);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }

    async fn obey(&self, request: Request<Incoming>) -> Answer {
        let (request, body) = request.into_parts();
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        let prefix = path
            .strip_prefix("/api/routes")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let prefix = prefix.ok_or(Refusal::NotFound)?;
        if !self.is_authorized(authorization(&request.headers)) {
            return Err(Refusal::Token);
        }
        if self.table.is_frozen() {
            return Err(ChangeError::Frozen.into());
        }
        let prefix = percent_decode(prefix.as_bytes())
            .decode_utf8()
            .map_err(|_| Refusal::Path)?;
        match request.method {
            Method::GET if matches!(&*prefix, "" | "/") => self.list(query),
            Method::GET => {
                let routes = self.table.current();
                let route = routes.get(&prefix).ok_or(Refusal::NoRoute)?;
                Ok((StatusCode::OK, Some(route.to_json())))
            }
            Method::POST => self.add(&prefix, &read_body(body).await?).await,
            Method::DELETE if self.table.remove(&prefix).await? => {
                log::info!("removed route {}", prefix.escape_debug());
                Ok((StatusCode::NO_CONTENT, None))
            }
            Method::DELETE => Err(Refusal::NoRoute),
            _ => Err(Refusal::Method),
        }
    }

    /// Whether the header holds `token T`, compared in a time that does not tell how much of it was right.
    fn is_authorized(&self, given: &[u8]) -> bool {
        let given = String::from_utf8_lossy(given);
        let mut words = given
            .split_ascii_whitespace()
            .skip_while(|word| *word != "token")
            .skip(1);
        let (given, expected) = (
            words.next().unwrap_or_default().as_bytes(),
            self.token.expose().as_bytes(),
        );
        let differing = given
            .iter()
            .zip(expected)
            .fold(0, |all, (one, other)| black_box(all | (one ^ other)));
        given.len() == expected.len() && differing == 0
    }

    fn list(&self, query: &str) -> Answer {
        let parameters: Vec<(&str, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                (
                    name,
                    percent_decode(value.as_bytes())
                        .decode_utf8_lossy()
                        .into_owned(),
                )
            })
            .collect();
        let given = |name| {
            parameters
                .iter()
                .find(|(key, value)| *key == name && !value.is_empty())
        };
        let before = match given("inactiveSince").or_else(|| given("inactive_since")) {
            Some((_, date)) => Some(parse_time(date).ok_or_else(|| Refusal::Date(date.clone()))?),
            None => None,
        };
        Ok((
            StatusCode::OK,
            Some(Value::Object(self.table.current().to_json(before))),
        ))
    }

    async fn add(&self, prefix: &str, body: &[u8]) -> Answer {
        let data: Value = serde_json::from_slice(body).map_err(Refusal::Json)?;
        let mut data = if let Value::Object(data) = data {
            data
        } else {
            Map::new()
        };
        let host = prefix.trim_start_matches('/').split('/').next();
        if let Some(host) = host.filter(|host| self.table.rules().host_routing && !host.is_empty())
        {
            // As CHP notes it.
            data.insert("host".into(), host.into());
        }
        let route = Route::new(prefix, data, false)?;
        let (host, port, tls) = (route.host.clone(), route.port, route.tls);
        self.table.add(prefix, route).await?;
        log::info!(
            "added route {} to {host}:{port}",
            if prefix.is_empty() { "/" } else { prefix }.escape_debug()
        );
        if tls {
            log::warn!("`{host}:{port}` will get no request: targets with https are not served");
        }
        Ok((StatusCode::CREATED, None))
    }
}

fn authorization(headers: &HeaderMap) -> &[u8] {
    let given = headers.get(header::AUTHORIZATION);
    given.map_or(b"", HeaderValue::as_bytes)
}

/// Whether a client is a program of this machine.
fn is_local(client: &Client) -> bool {
    client.ip.is_loopback()
}

async fn read_body(body: Incoming) -> Result<Bytes, Refusal> {
    let read = Limited::new(body, BODY_LIMIT).collect().await;
    read.map(|read| read.to_bytes()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::TooLarge
        } else {
            Refusal::Cut
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_of_this_machine_are_local() {
        for (address, expected) in [
            ("127.0.0.1:9", true),
            ("127.8.0.1:9", true),
            ("[::1]:9", true),
            ("[::ffff:127.0.0.1]:9", true),
            ("192.0.2.1:9", false),
            ("[2001:db8::1]:9", false),
            ("0.0.0.0:9", false),
        ] {
            let client = Client::new(address.parse().unwrap());
            assert_eq!(is_local(&client), expected, "{address}");
        }
    }
}
