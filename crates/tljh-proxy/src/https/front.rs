//! What the proxy answers itself because of HTTPS: challenges of a CA, redirects, and what browsers are told to insist on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Response, StatusCode, header};
use parking_lot::Mutex;

/// Where a CA looks for the answer to HTTP-01 (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What is known to every thread about HTTPS. The default is that there is none.
#[derive(Debug, Default)]
pub struct Front {
    /// Where requests by HTTP are sent on to.
    port: Option<u16>,
    hsts: Option<HeaderValue>,
    /// Whether there is a certificate that browsers may believe. Until then nobody is sent to HTTPS.
    ready: AtomicBool,
    challenges: Mutex<HashMap<String, String>>,
}

impl Front {
    /// HTTPS on this port; `hsts` in seconds, 0 for none.
    pub fn new(port: u16, hsts: u64) -> Self {
        let hsts = (hsts > 0).then(|| HeaderValue::try_from(format!("max-age={hsts}")));
        Self {
            port: Some(port),
            hsts: hsts.and_then(Result::ok),
            ..Self::default()
        }
    }

    /// Notes that a certificate is served which browsers may believe.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Whether there is such a certificate.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Answers HTTP-01 for `token` with `answer` until it is withdrawn.
    pub fn add_challenge(&self, token: &str, answer: &str) {
        self.challenges.lock().insert(token.into(), answer.into());
    }

    /// Withdraws the answer for `token`.
    pub fn remove_challenge(&self, token: &str) {
        self.challenges.lock().remove(token);
    }

    /// The answer to a CA that looks for one; other programs' challenges are passed on.
    pub fn challenge(&self, request: &Parts) -> Option<Response<Bytes>> {
        let token = request.uri.path().strip_prefix(CHALLENGES)?;
        let answer = self.challenges.lock().get(token)?.clone();
        let mut response = Response::new(Bytes::from(answer));
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Some(response)
    }

    /// Sends a request that came by HTTP to HTTPS, same host, path and query; `None` while there is no certificate.
    pub fn redirect(&self, request: &Parts) -> Option<Response<Bytes>> {
        let port = self.port.filter(|_| self.is_ready())?;
        let mut response = Response::new(Bytes::new());
        let Some(location) = location(request, port) else {
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Some(response);
        };
        // 301 lets browsers send a form again as GET, 308 does not (RFC 9110, section 15.4); old programs know no 308.
        *response.status_mut() = match request.method {
            Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location);
        // A browser that kept it could not come back once HTTPS is switched off.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }

    /// What browsers are told with an answer by HTTPS.
    pub fn hsts(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref().filter(|_| self.is_ready())
    }
}

fn location(request: &Parts, port: u16) -> Option<HeaderValue> {
    let host = match request.uri.authority() {
        Some(authority) => authority.clone(),
        None => {
            let host = request.headers.get(header::HOST)?;
            Authority::try_from(host.as_bytes()).ok()?
        }
    };
    // A name before the host is no part of `Host` (RFC 9110, section 4.2.4), and nowhere to be sent to.
    if host.as_str().contains('@') {
        return None;
    }
    let target = request
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let target = if target == "*" { "/" } else { target };
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    let location = format!("https://{}{port}{target}", host.host());
    HeaderValue::try_from(location).ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(method: &str, uri: &str, host: &str) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = if host.is_empty() {
            request
        } else {
            request.header("host", host)
        };
        request.body(()).unwrap().into_parts().0
    }

    fn redirected(port: u16, method: &str, uri: &str, host: &str) -> (u16, String) {
        let front = Front::new(port, 0);
        front.set_ready();
        let answer = front.redirect(&request(method, uri, host)).unwrap();
        let location = answer.headers().get("location");
        let location = location.map_or("", |location| location.to_str().unwrap());
        (answer.status().as_u16(), location.into())
    }

    #[test]
    fn host_path_and_query_are_kept_and_the_port_is_that_of_https() {
        for (port, uri, host, location) in [
            (
                443,
                "/hub/a%2Fb?x=%3f&&",
                "h.org",
                "https://h.org/hub/a%2Fb?x=%3f&&",
            ),
            (8443, "/", "h.org:8080", "https://h.org:8443/"),
            (443, "/", "[2001:db8::1]:80", "https://[2001:db8::1]/"),
            (443, "http://other.org:80/x", "h.org", "https://other.org/x"),
            (443, "*", "h.org", "https://h.org/"),
        ] {
            assert_eq!(redirected(port, "GET", uri, host), (301, location.into()));
        }
        assert_eq!(redirected(443, "HEAD", "/", "h").0, 301);
        assert_eq!(redirected(443, "POST", "/", "h").0, 308);
    }

    #[test]
    fn a_host_that_is_none_is_not_sent_anywhere() {
        for host in ["", "a b", "h/evil", "h@evil:x"] {
            assert_eq!(
                redirected(443, "GET", "/", host),
                (400, String::new()),
                "{host}"
            );
        }
    }

    #[test]
    fn nobody_is_sent_to_https_before_there_is_a_certificate() {
        let front = Front::new(443, 60);
        let asked = request("GET", "/", "h");
        assert!(front.redirect(&asked).is_none() && front.hsts().is_none());
        front.set_ready();
        assert!(front.redirect(&asked).is_some());
        assert_eq!(front.hsts().unwrap(), "max-age=60");
        let none = Front::default();
        none.set_ready();
        assert!(none.redirect(&asked).is_none());
    }

    #[test]
    fn a_challenge_is_answered_until_it_is_withdrawn() {
        let front = Front::new(443, 0);
        let asked = request("GET", "/.well-known/acme-challenge/tok", "h");
        assert!(front.challenge(&asked).is_none());
        front.add_challenge("tok", "tok.thumb");
        assert_eq!(front.challenge(&asked).unwrap().body(), "tok.thumb");
        front.remove_challenge("tok");
        assert!(front.challenge(&asked).is_none());
    }
}
