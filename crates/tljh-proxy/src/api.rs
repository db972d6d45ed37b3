//! JupyterHub's proxy REST API, as configurable-http-proxy serves it.
//!
//! `GET /api/routes` lists all routes (`?inactiveSince=` those unused since then), `GET`, `POST` and `DELETE`
//! `/api/routes/PREFIX` concern one. Prefixes are unescaped before use. Every request needs the token.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use percent_encoding::percent_decode;
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde_json::{Map, Value};
use tljh_terminal::Secret;

use crate::routes::{ChangeError, Route, Table, TargetError, parse_time};

/// A route is a few hundred bytes.
const BODY_LIMIT: usize = 1 << 20;

/// The API as pingora drives it.
pub struct Api {
    table: Arc<Table>,
    token: Secret,
}

/// What keeps a request from being answered with 2xx.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("Forbidden")]
    Token,
    #[error("Not Found")]
    NotFound,
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
    Target(#[from] TargetError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Token => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Path | Self::Date(_) | Self::Json(_) | Self::Cut | Self::Target(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Change(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

type Answer = Result<(StatusCode, Option<Value>), Refusal>;

impl Api {
    /// An API over this table, open to those who have the token.
    pub fn new(table: Arc<Table>, token: Secret) -> Self {
        Self { table, token }
    }

    async fn answer(&self, session: &mut ServerSession) -> Answer {
        let request = session.req_header();
        let method = request.method.clone();
        let target = String::from_utf8_lossy(request.raw_path()).into_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let prefix = path
            .strip_prefix("/api/routes")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let prefix = prefix.ok_or(Refusal::NotFound)?;
        if !self.is_authorized(session.get_header_bytes(header::AUTHORIZATION)) {
            return Err(Refusal::Token);
        }
        let prefix = percent_decode(prefix.as_bytes())
            .decode_utf8()
            .map_err(|_| Refusal::Path)?;
        match method {
            Method::GET if matches!(&*prefix, "" | "/") => self.list(query),
            Method::GET => {
                let route = self
                    .table
                    .current()
                    .get(&prefix)
                    .cloned()
                    .ok_or(Refusal::NotFound)?;
                Ok((StatusCode::OK, Some(route.to_json())))
            }
            Method::POST => self.add(&prefix, &read_body(session).await?).await,
            Method::DELETE if self.table.remove(&prefix).await? => {
                log::info!("removed route {prefix}");
                Ok((StatusCode::NO_CONTENT, None))
            }
            Method::DELETE => Err(Refusal::NotFound),
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
        let data = if let Value::Object(data) = data {
            data
        } else {
            Map::new()
        };
        let route = Route::new(data, false)?;
        let (host, port) = (route.host.clone(), route.port);
        self.table.add(prefix, route).await?;
        log::info!(
            "added route {} to {host}:{port}",
            if prefix.is_empty() { "/" } else { prefix }
        );
        Ok((StatusCode::CREATED, None))
    }
}

async fn read_body(session: &mut ServerSession) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(part) = session
        .read_request_body()
        .await
        .map_err(|_| Refusal::Cut)?
    {
        body.extend_from_slice(&part);
        if body.len() > BODY_LIMIT {
            return Err(Refusal::TooLarge);
        }
    }
    Ok(body)
}

#[async_trait]
impl ServeHttp for Api {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let (status, body, kind) = match self.answer(session).await {
            Ok((status, Some(value))) => {
                (status, value.to_string().into_bytes(), "application/json")
            }
            Ok((status, None)) => (status, Vec::new(), ""),
            Err(refusal) => {
                if let Refusal::Change(error) = &refusal {
                    log::error!("{}", tljh_terminal::render_error(error, None).trim_end());
                }
                if matches!(refusal, Refusal::TooLarge) {
                    session.set_keepalive(None);
                }
                (
                    refusal.status(),
                    refusal.to_string().into_bytes(),
                    "text/plain; charset=utf-8",
                )
            }
        };
        let mut response = Response::new(Vec::new());
        *response.status_mut() = status;
        if status != StatusCode::NO_CONTENT {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, body.len().into());
        }
        if !kind.is_empty() {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
        }
        *response.body_mut() = body;
        response
    }
}
