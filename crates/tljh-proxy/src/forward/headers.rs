//! Headers on their way through: those of one connection are left out, CHP's `X-Forwarded-*` are added.

use http::{HeaderMap, HeaderName, HeaderValue, header};

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The headers without those that concern one connection alone: the fixed ones, and those that `Connection` names
/// (RFC 9110, section 7.6.1). The order of the others is kept.
pub fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(headers);
    // Room for those that are added.
    let mut kept = HeaderMap::with_capacity(headers.len() + 6);
    for (name, value) in headers {
        if !is_of_connection(name) && !named.iter().any(|named| named == name.as_str()) {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// As [`end_to_end`], at no cost where nothing is to be left out.
pub fn into_end_to_end(headers: HeaderMap) -> HeaderMap {
    if headers.keys().any(is_of_connection) {
        end_to_end(&headers)
    } else {
        headers
    }
}

fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || matches!(
        name.as_str(),
        "keep-alive" | "proxy-connection" | "trailers"
    )
}

/// What `Connection` names, in lower case as header names are. A message cannot do without `Host` and
/// `Content-Length`, whatever is said there.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            let known: [&[u8]; 6] = [
                b"",
                b"keep-alive",
                b"close",
                b"upgrade",
                b"host",
                b"content-length",
            ];
            if !known.iter().any(|known| token.eq_ignore_ascii_case(known)) {
                named.push(String::from_utf8_lossy(token).to_ascii_lowercase());
            }
        }
    }
    named
}

/// The protocol to change to, if `Connection` says so too.
pub fn upgrade_of(headers: &HeaderMap) -> Option<&HeaderValue> {
    let upgrade = headers.get(header::UPGRADE)?;
    let connection = headers.get_all(header::CONNECTION);
    let says_so = connection.iter().any(|value| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    says_so.then_some(upgrade)
}

/// Puts back what [`end_to_end`] left out of a message that changes the protocol.
pub fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Adds `X-Forwarded-For`, `-Port` and `-Proto`, each behind what is there, and `-Host` if there is none.
pub fn add_forwarded(headers: &mut HeaderMap, client: &HeaderValue, is_secure: bool) {
    let (scheme, usual_port) = if is_secure {
        ("https", "443")
    } else {
        ("http", "80")
    };
    let host = headers
        .get(header::HOST)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static(""));
    let port = host.to_str().ok().and_then(port_of);
    let port = port.and_then(|port| HeaderValue::from_str(port).ok());
    let port = port.unwrap_or_else(|| HeaderValue::from_static(usual_port));
    append(headers, &FORWARDED_FOR, client.clone());
    append(headers, &FORWARDED_PORT, port);
    append(headers, &FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.entry(&FORWARDED_HOST).or_insert(host);
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name, value);
        return;
    }
    let before = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let all: Vec<&[u8]> = before.chain([value.as_bytes()]).collect();
    let all = HeaderValue::from_bytes(&all.join(b",".as_slice())).unwrap_or(value);
    headers.insert(name, all);
}

/// The port in a `Host` header; the colons of an IPv6 address are none.
fn port_of(host: &str) -> Option<&str> {
    let (_, port) = host.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            );
        }
        headers
    }

    fn listed(headers: &HeaderMap) -> Vec<String> {
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn the_port_of_a_host_header_is_what_follows_its_last_colon() {
        assert_eq!(port_of("hub.example.org:8080"), Some("8080"));
        assert_eq!(port_of("[::1]:81"), Some("81"));
        assert_eq!(port_of("[::1]"), None);
        assert_eq!(port_of("hub.example.org"), None);
    }

    #[test]
    fn forwarded_headers_go_behind_those_of_another_proxy() {
        let mut outgoing = headers(&[
            ("host", "hub:81"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-host", "outer"),
        ]);
        add_forwarded(&mut outgoing, &HeaderValue::from_static("3.3.3.3"), false);
        assert_eq!(
            listed(&outgoing),
            [
                "host: hub:81",
                "x-forwarded-for: 1.1.1.1,2.2.2.2,3.3.3.3",
                "x-forwarded-host: outer",
                "x-forwarded-port: 81",
                "x-forwarded-proto: http",
            ]
        );
    }

    #[test]
    fn scheme_and_usual_port_are_those_of_the_connection() {
        for (is_secure, scheme, port) in [(false, "http", "80"), (true, "https", "443")] {
            let mut outgoing = headers(&[("host", "hub.example.org")]);
            add_forwarded(
                &mut outgoing,
                &HeaderValue::from_static("1.1.1.1"),
                is_secure,
            );
            assert_eq!(outgoing["x-forwarded-proto"], scheme);
            assert_eq!(outgoing["x-forwarded-port"], port);
        }
    }

    #[test]
    fn headers_of_a_connection_stay_behind_and_the_others_keep_their_order() {
        let came = headers(&[
            ("host", "h"),
            ("connection", "keep-alive, X-Own ,Host"),
            ("keep-alive", "timeout=5"),
            ("cookie", "a"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("accept", "*/*"),
            ("connection", "content-length,x-other"),
            ("upgrade", "websocket"),
            ("proxy-connection", "close"),
            ("x-other", "1"),
            ("transfer-encoding", "chunked"),
            ("cookie", "b"),
            ("content-length", "1"),
        ]);
        let kept = [
            "host: h",
            "cookie: a",
            "cookie: b",
            "accept: */*",
            "content-length: 1",
        ];
        assert_eq!(listed(&end_to_end(&came)), kept);
        assert_eq!(listed(&into_end_to_end(came)), kept);
    }

    #[test]
    fn an_upgrade_is_one_only_if_connection_says_so() {
        for (connection, expected) in [
            ("Upgrade", true),
            ("keep-alive, upgrade", true),
            ("keep-alive", false),
            ("upgraded", false),
        ] {
            let headers = headers(&[("upgrade", "websocket"), ("connection", connection)]);
            assert_eq!(upgrade_of(&headers).is_some(), expected, "{connection}");
        }
        assert_eq!(upgrade_of(&headers(&[("connection", "upgrade")])), None);
    }
}
