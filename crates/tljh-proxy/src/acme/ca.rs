//! HTTPS towards a CA: one connection for each request, verified against the system's root certificates.

use std::error::Error as _;
use std::fs;
use std::io;
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::DateTime;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::AcmeError;

/// How long one request may take, from looking the name up to the end of the answer.
const LIMIT: Duration = Duration::from_secs(40);
/// How large an answer may be, in bytes; a chain of certificates is a few thousand.
const MAX_ANSWER: usize = 1 << 20;
/// Where Debian's package ca-certificates keeps what the system trusts.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A directory of a CA, and how to speak with it.
#[derive(Clone)]
pub struct Authority {
    /// URL of the directory.
    pub directory: String,
    tls: Arc<ClientConfig>,
    told: Arc<Mutex<Option<SystemTime>>>,
}

/// What keeps a request from being answered.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("`{0}` is no URL with https")]
    Url(Uri),
    #[error("could not connect: {0}")]
    Connect(io::Error),
    #[error("could not speak TLS: {0}")]
    Tls(io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no whole answer: {0}")]
    Body(BoxError),
    #[error("no answer within {} seconds", LIMIT.as_secs())]
    Late,
}

impl Authority {
    /// A CA with this directory; `more` is PEM with root certificates besides the system's.
    ///
    /// # Errors
    /// There is no root certificate at all.
    pub fn new(directory: &str, more: &str) -> Result<Self, AcmeError> {
        let mut roots = RootCertStore::empty();
        let system = fs::read(ROOTS).unwrap_or_default();
        for pem in [system.as_slice(), more.as_bytes()] {
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
        }
        if roots.is_empty() {
            return Err(AcmeError::NoRoots { path: ROOTS });
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| AcmeError::Local(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            directory: directory.into(),
            tls: Arc::new(tls),
            told: Arc::default(),
        })
    }

    /// Host of the directory, for people.
    pub fn host(&self) -> String {
        let uri = Uri::from_str(&self.directory).unwrap_or_default();
        uri.authority()
            .map_or(self.directory.clone(), ToString::to_string)
    }

    /// Before when the CA does not want to be asked again, if it refused a request and said so.
    pub fn told_to_wait_until(&self) -> Option<SystemTime> {
        *self.told.lock()
    }

    async fn ask(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, RequestError> {
        let (mut head, body) = request.into_parts();
        let url = head.uri.clone();
        let host = url.host().filter(|_| url.scheme() == Some(&Scheme::HTTPS));
        let wrong = || RequestError::Url(url.clone());
        let (host, authority) = host.zip(url.authority()).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_string()).map_err(|_| wrong())?;

        let stream = TcpStream::connect((host, url.port_u16().unwrap_or(443)))
            .await
            .map_err(RequestError::Connect)?;
        let tls = TlsConnector::from(self.tls.clone());
        let stream = tls.connect(name, stream).await.map_err(RequestError::Tls)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;

        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        head.headers.insert(header::HOST, value);
        head.uri = url
            .path_and_query()
            .map_or_else(Uri::default, |path| path.clone().into());
        let answer = async {
            let answer = sender.send_request(Request::from_parts(head, body)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(RequestError::Body)?.to_bytes();
            Ok(Response::from_parts(head, Full::new(body)))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The end of the connection may be that of the body.
            _ = connection => answer.await,
        }
    }

    fn note(&self, answer: &Response<Full<Bytes>>) {
        let status = answer.status();
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) && let Some(told) = retry_after(answer.headers(), SystemTime::now())
        {
            *self.told.lock() = Some(told);
        }
    }
}

impl HttpClient for Authority {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let asked = timeout(LIMIT, this.clone().ask(request)).await;
            let answer = asked.unwrap_or(Err(RequestError::Late));
            let answer = answer.map_err(|error| instant_acme::Error::Other(error.into()))?;
            this.note(&answer);
            Ok(BytesResponse::from(answer))
        })
    }
}

/// The point in time that `Retry-After` names, in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => now.checked_add(Duration::from_secs(seconds)),
        Err(_) => DateTime::parse_from_rfc2822(value)
            .ok()
            .map(SystemTime::from),
    }
}

/// What went wrong at the root of an error, in the words of whoever found it.
pub fn root_of(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        Some(source) if error.downcast_ref::<RequestError>().is_none() => root_of(source),
        _ => match error.downcast_ref::<RequestError>() {
            Some(RequestError::Http(error)) => match error.source() {
                Some(source) => format!("no answer: {source}"),
                None => format!("no answer: {error}"),
            },
            _ => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_seconds_or_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for (value, seconds) in [
            ("120", Some(1_120)),
            ("Thu, 01 Jan 1970 01:00:00 GMT", Some(3_600)),
            ("soon", None),
            ("18446744073709551615", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            let expected =
                seconds.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
    }
}
