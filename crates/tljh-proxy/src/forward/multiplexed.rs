//! Requests of HTTP/2 in the form that those of HTTP/1.1 have, so that from here on there is one kind.

use http::header::Entry;
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri, header};

use crate::listen::MAX_HEADERS;

/// Puts the authority into `Host`, and the crumbs of a cookie together (RFC 9113, sections 8.2.3 and 8.3.1). Headers that
/// HTTP/2 does not have, as `Connection`, are refused by hyper (section 8.2.2).
///
/// # Errors
/// The status that refuses a request with no host or two different ones, or with too many headers.
pub fn unfold(request: &mut Parts) -> Result<(), StatusCode> {
    if let Some(authority) = request.uri.authority() {
        let host = authority.as_str();
        let mut given = request.headers.get_all(header::HOST).iter();
        if host.contains('@')
            || given.any(|given| !given.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
        {
            return Err(StatusCode::BAD_REQUEST);
        }
        let host = HeaderValue::from_str(host).map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers.insert(header::HOST, host);
        let target = request.uri.path_and_query().cloned();
        request.uri = target.map_or_else(Uri::default, Uri::from);
    }
    join_cookies(request)?;
    if request.headers.len() > MAX_HEADERS {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    Ok(())
}

fn join_cookies(request: &mut Parts) -> Result<(), StatusCode> {
    if let Entry::Occupied(mut cookies) = request.headers.entry(header::COOKIE)
        && cookies.iter().nth(1).is_some()
    {
        let crumbs: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
        let whole = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice()));
        cookies.insert(whole.map_err(|_| StatusCode::BAD_REQUEST)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn unfolded(uri: &str, headers: &[(&str, &str)]) -> Result<Parts, StatusCode> {
        let request = headers
            .iter()
            .fold(Request::builder().uri(uri), |request, (name, value)| {
                request.header(*name, *value)
            });
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        unfold(&mut parts).map(|()| parts)
    }

    #[test]
    fn authority_and_cookies_become_headers_as_http_1_has_them() {
        let headers = [
            ("cookie", "a=1"),
            ("x", "y"),
            ("cookie", "b=2"),
            ("cookie", "c=3"),
        ];
        let parts = unfolded("https://h.org:8443/a%2Fb?c", &headers).unwrap();
        assert_eq!(parts.uri, "/a%2Fb?c");
        assert_eq!(parts.headers["host"], "h.org:8443");
        assert_eq!(parts.headers["cookie"], "a=1; b=2; c=3");
        assert_eq!(parts.headers.len(), 3);
        let parts = unfolded("/x", &[("host", "only.org")]).unwrap();
        assert_eq!(
            (parts.uri.path(), &parts.headers["host"]),
            ("/x", &HeaderValue::from_static("only.org"))
        );
    }

    #[test]
    fn two_hosts_a_name_before_the_host_and_too_many_headers_are_refused() {
        assert!(unfolded("https://h.org/", &[("host", "H.org")]).is_ok());
        for (uri, host) in [("https://h.org/", "i.org"), ("https://me@h.org/", "h.org")] {
            assert_eq!(unfolded(uri, &[("host", host)]).unwrap_err(), 400);
        }
        let many: Vec<String> = (0..=MAX_HEADERS)
            .map(|number| format!("x-{number}"))
            .collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(unfolded("https://h.org/", &many).unwrap_err(), 431);
    }
}
