//! Headers on their way through: those of one connection are left out, and so is what a request says of its own origin,
//! in whose place come CHP's `X-Forwarded-*`.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::origin::{Origin, is_claim, port_of};

pub static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub static FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The headers of a request without those that concern one connection alone, as [`into_end_to_end`] has it, and with what
/// is known of its origin in the place of what it says itself: `X-Forwarded-For`, `-Port`, `-Proto` and `-Host`. Behind a trusted proxy, `X-Real-IP` names the client too: of a row of
/// addresses, servers made with tornado take the last one.
pub fn of_request(headers: &HeaderMap, host: Option<HeaderValue>, origin: &Origin) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut kept = without(headers, |name| {
        is_named(&named, name) || is_claim(name, origin.is_behind)
    });
    if let Some(host) = host {
        kept.insert(header::HOST, host);
    }
    let (scheme, usual_port) = if origin.is_secure {
        ("https", "443")
    } else {
        ("http", "80")
    };
    let host = origin.host.as_ref().or_else(|| kept.get(header::HOST));
    let host = host
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static(""));
    let port = || {
        let port = host.to_str().ok().and_then(port_of);
        port.and_then(|port| HeaderValue::from_str(port).ok())
    };
    let port = origin.port.clone().or_else(port);
    kept.insert(&FORWARDED_FOR, origin.row.clone());
    kept.insert(
        &FORWARDED_PORT,
        port.unwrap_or_else(|| HeaderValue::from_static(usual_port)),
    );
    kept.insert(&FORWARDED_PROTO, HeaderValue::from_static(scheme));
    kept.insert(&FORWARDED_HOST, host);
    if origin.is_behind
        && let Ok(address) = HeaderValue::try_from(origin.address.to_string())
    {
        kept.insert(&REAL_IP, address);
    }
    kept
}

fn without(headers: &HeaderMap, is_left_out: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    // Room for those that are added to most requests, and no more: a table of eight is made in half the time of the next.
    let mut kept = HeaderMap::with_capacity(headers.len() + 4);
    for (name, value) in headers {
        if !is_of_connection(name) && !is_left_out(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// The headers without those that concern one connection alone: the fixed ones, and those that `Connection` names
/// (RFC 9110, section 7.6.1). The order of the others is kept. It costs little where nothing is to be left out, or only
/// what comes last, as with most servers.
pub fn into_end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let mut of_connection = headers
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| is_of_connection(name));
    match (of_connection.next(), of_connection.next()) {
        (None, _) => headers,
        // Only without the last one are the others in the order in which they were.
        (Some((at, (&header::CONNECTION, value))), None)
            if at + 1 == headers.len() && names_nothing(value) =>
        {
            headers.remove(header::CONNECTION);
            headers
        }
        _ => {
            let named = named_by_connection(&headers);
            without(&headers, |name| is_named(&named, name))
        }
    }
}

fn is_named(named: &[String], name: &HeaderName) -> bool {
    named.iter().any(|named| named == name.as_str())
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
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .flat_map(tokens)
        .filter(|token| !names_no_header(token))
        .map(|token| String::from_utf8_lossy(token).to_ascii_lowercase())
        .collect()
}

fn names_nothing(connection: &HeaderValue) -> bool {
    tokens(connection).all(names_no_header)
}

fn names_no_header(token: &[u8]) -> bool {
    let known: [&[u8]; 6] = [
        b"keep-alive",
        b"close",
        b"upgrade",
        b"",
        b"host",
        b"content-length",
    ];
    known.iter().any(|known| token.eq_ignore_ascii_case(known))
}

fn tokens(connection: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let tokens = connection.as_bytes().split(|byte| *byte == b',');
    tokens.map(<[u8]>::trim_ascii)
}

/// The protocol to change to, if `Connection` says so too.
pub fn upgrade_of(headers: &HeaderMap) -> Option<&HeaderValue> {
    let upgrade = headers.get(header::UPGRADE)?;
    let connection = headers.get_all(header::CONNECTION);
    let says_so = connection
        .iter()
        .flat_map(tokens)
        .any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    says_so.then_some(upgrade)
}

/// Puts back what [`into_end_to_end`] left out of a message that changes the protocol.
pub fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

#[cfg(test)]
mod tests {
    use super::super::origin::Trust;
    use super::*;
    use crate::client::Client;

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

    /// The headers that a server gets of a request to `hub:81` from 10.0.0.1.
    fn sent(more: &[(&str, &str)], trusted: &[&str], is_secure: bool) -> Vec<String> {
        let mut came = headers(&[("host", "hub:81")]);
        came.extend(headers(more));
        let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
        let mut client = Client::new("10.0.0.1:9".parse().unwrap());
        client.is_secure = is_secure;
        let origin = Origin::new(&came, &client, &Trust::try_from(trusted).unwrap());
        listed(&of_request(&came, None, &origin))
    }

    const SAID: &[(&str, &str)] = &[
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "outer"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-user", "root"),
        ("forwarded", "for=6.6.6.6;proto=https"),
        ("x-real-ip", "6.6.6.6"),
        ("x-scheme", "https"),
    ];

    #[test]
    fn what_a_client_says_of_itself_is_replaced_by_what_the_connection_shows() {
        assert_eq!(
            sent(SAID, &[], false),
            [
                "host: hub:81",
                "x-forwarded-for: 10.0.0.1",
                "x-forwarded-port: 81",
                "x-forwarded-proto: http",
                "x-forwarded-host: hub:81",
            ]
        );
    }

    #[test]
    fn what_a_trusted_proxy_says_is_passed_on_and_the_proxy_added() {
        assert_eq!(
            sent(SAID, &["10.0.0.1"], false),
            [
                "host: hub:81",
                "x-forwarded-user: root",
                "x-forwarded-for: 192.0.2.1,10.0.0.1",
                "x-forwarded-port: 443",
                "x-forwarded-proto: https",
                "x-forwarded-host: outer",
                "x-real-ip: 192.0.2.1",
            ]
        );
    }

    #[test]
    fn scheme_and_usual_port_are_those_of_the_connection() {
        for (is_secure, scheme, port) in [(false, "http", "80"), (true, "https", "443")] {
            let mut client = Client::local();
            client.is_secure = is_secure;
            let came = headers(&[("host", "hub.example.org")]);
            let origin = Origin::new(&came, &client, &Trust::default());
            let outgoing = of_request(&came, None, &origin);
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
        assert_eq!(listed(&into_end_to_end(came)), kept);
        for last in [
            &[("connection", "keep-alive"), ("keep-alive", "timeout=5")][..],
            &[("connection", "b"), ("b", "1"), ("connection", "close")],
            &[
                ("te", "x"),
                ("te", "y"),
                ("connection", "a"),
                ("connection", "b"),
            ],
        ] {
            let mut came = headers(&[("a", "1"), ("date", "d"), ("b", "2"), ("date", "e")]);
            let named = last.iter().map(|(_, value)| *value).collect::<Vec<_>>();
            let kept = listed(&came).into_iter();
            let kept = kept.filter(|line| !named.contains(&line.split(':').next().unwrap()));
            let kept: Vec<_> = kept.collect();
            came.extend(headers(last));
            assert_eq!(listed(&into_end_to_end(came)), kept, "{last:?}");
        }
        assert_eq!(into_end_to_end(headers(&[("connection", "x")])).len(), 0);
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
