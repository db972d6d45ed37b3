//! The hub's pages about what went wrong, as configurable-http-proxy's `--error-target` shows them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use tokio::time::timeout;

use super::answer::Answer;
use super::failure::Subject;
use super::patience::Patience;
use super::{Answered, Forward, whole};
use crate::client::UnderWay;
use crate::pages::Page;
use crate::routes::Route;

/// How long the hub gets to answer; then the page is ours.
const LIMIT: Duration = Duration::from_secs(5);

/// What is escaped in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What is escaped in a path.
const PATH: &AsciiSet = &QUERY.remove(b'/').remove(b'@').remove(b'+').remove(b':');

impl Forward {
    /// The page as the answer to a request of `client`: from the hub where it has one, else ours.
    pub(super) async fn page(
        &self,
        page: Page,
        request: &Parts,
        client: IpAddr,
        under_way: UnderWay,
    ) -> Response<Answer> {
        // What has no use for a page, and what the hub cannot answer for.
        let is_ours = page == Page::HubStarting
            || request.method == Method::HEAD
            || request.headers.contains_key(header::UPGRADE);
        if !is_ours && let Some((route, (answer, backend))) = self.hub_page(page, request).await {
            let (mut head, body) = answer.into_parts();
            let subject = || Subject::new(&route, request, page.status(), client);
            let body = Answer::coming(body, backend, &self.pool, subject, false, under_way);
            let mut answer = Response::new(body);
            *answer.status_mut() = page.status();
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
                if let Some(value) = head.headers.remove(&name) {
                    answer.headers_mut().insert(name, value);
                }
            }
            answer
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return answer;
        }
        whole(page.answer(request), under_way)
    }

    async fn hub_page(&self, page: Page, request: &Parts) -> Option<(Arc<Route>, Answered)> {
        let (route, uri) = {
            let routes = self.table.current();
            let (prefix, route) = routes.hub()?;
            (route.clone(), self.uri_of(page, prefix, route, request)?)
        };
        let host = HeaderValue::try_from(format!("{}:{}", route.host, route.port)).ok()?;
        // Nothing of the request but its path: the page is about it, not for it.
        let ask = |body| {
            let mut asked = Request::new(body);
            *asked.uri_mut() = uri.clone();
            asked.headers_mut().insert(header::HOST, host.clone());
            asked
        };
        let mut patience = Patience::new(&self.queue, Duration::ZERO, None);
        let mut body = None;
        let asked = self.send(&route, true, &mut body, &mut patience, ask);
        match timeout(LIMIT, asked).await {
            Ok(Ok(answered)) if answered.0.status().is_success() => Some((route, answered)),
            Ok(Err(failure)) => {
                log::debug!("the hub's page: {failure}");
                None
            }
            _ => None,
        }
    }

    /// `/hub/error/CODE?url=PATH` below the hub's prefix. The query that came is left out: it may hold a token, and the
    /// hub notes in its log what it was asked for.
    fn uri_of(&self, page: Page, prefix: &str, route: &Route, request: &Parts) -> Option<Uri> {
        let prefix = if self.table.rules().host_routing {
            // Behind the host.
            prefix
                .get(1..)?
                .find('/')
                .and_then(|end| prefix.get(end + 1..))
        } else {
            Some(prefix)
        };
        let prefix = prefix.unwrap_or_default().trim_end_matches('/');
        let path = percent_encode(request.uri.path().as_bytes(), QUERY);
        let (base, code) = (&route.base, page.status().as_u16());
        let prefix = utf8_percent_encode(prefix, PATH);
        format!("{base}{prefix}/hub/error/{code}?url={path}")
            .parse()
            .ok()
    }
}
