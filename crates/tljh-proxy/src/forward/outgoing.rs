//! A request as its backend gets it.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderValue, Request, Uri, Version, header};

use super::headers;
use super::origin::Origin;
use super::upload::{Upload, await_continue};
use crate::client::BodyLength;
use crate::routes::Route;

/// Bytes of a target, at most: what `Uri` can hold.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// What makes a request for the backend out of that of the client.
pub struct Outgoing<'a> {
    came: &'a Parts,
    length: BodyLength,
    route: &'a Route,
    origin: &'a Origin,
    upgrade: Option<&'a HeaderValue>,
}

impl<'a> Outgoing<'a> {
    /// The request that came as `came`, followed by a body of this length, from `origin`.
    pub fn new(came: &'a Parts, length: BodyLength, route: &'a Route, origin: &'a Origin) -> Self {
        let may_upgrade = came.version == Version::HTTP_11 && length == BodyLength::Known(0);
        Self {
            came,
            length,
            route,
            origin,
            upgrade: headers::upgrade_of(&came.headers).filter(|_| may_upgrade),
        }
    }

    /// Whether the request asks for another protocol.
    pub fn is_upgrade(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Whether it does no harm to send the request twice (RFC 9110, section 9.2.2), and it can be: it has no body.
    pub fn is_repeatable(&self) -> bool {
        self.came.method.is_idempotent()
            && self.length == BodyLength::Known(0)
            && self.upgrade.is_none()
    }

    /// The request, with its body.
    pub fn request(&self, body: Upload) -> Request<Upload> {
        let mut request = Request::new(body);
        *request.method_mut() = self.came.method.clone();
        *request.uri_mut() = self.target();
        let came = &self.came.headers;
        let is_named = self.came.uri.authority().is_none() && came.contains_key(header::HOST);
        let host = (!is_named).then(|| self.host());
        let mut headers = headers::of_request(came, host, self.origin);
        if let Some(protocol) = self.upgrade {
            headers::set_upgrade(&mut headers, protocol.clone());
        }
        if self.length == BodyLength::Chunked {
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
        }
        *request.headers_mut() = headers;
        if self.length != BodyLength::Known(0) && self.expects_continue() {
            await_continue(&mut request);
        }
        request
    }

    fn expects_continue(&self) -> bool {
        let expected = self.came.headers.get(header::EXPECT);
        self.came.version == Version::HTTP_11
            && expected
                .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }

    /// The `Host` of a request that has none, or whose target names another (RFC 9112, section 3.2.2).
    fn host(&self) -> HeaderValue {
        let named = self.came.uri.authority().map_or_else(
            || format!("{}:{}", self.route.host, self.route.port),
            |authority| authority.as_str().to_string(),
        );
        HeaderValue::try_from(named).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Whether the target is one still behind the path of the route's target.
    pub fn fits(&self) -> bool {
        self.route.base.len() + self.path_and_query().len() <= MAX_TARGET
    }

    /// Path and query as they came; the path is `/` in `http://HOST?QUERY` too (RFC 9112, section 3.2.1).
    fn path_and_query(&self) -> Cow<'_, str> {
        let target = self.came.uri.path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        if target.starts_with('?') {
            format!("/{target}").into()
        } else {
            target.into()
        }
    }

    /// Path and query as they came, behind the path of the route's target; `*`, which is no path, alone.
    fn target(&self) -> Uri {
        let (uri, came) = (&self.came.uri, self.path_and_query());
        if came == "*" || (self.route.base.is_empty() && uri.authority().is_none()) {
            return uri.clone();
        }
        format!("{}{came}", self.route.base)
            .parse()
            .unwrap_or_default()
    }
}
