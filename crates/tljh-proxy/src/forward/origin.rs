//! Who asks, and by what scheme: as much of what a request says about that as can be believed.
//!
//! Everybody can write `X-Forwarded-For: 127.0.0.1` into a request, and JupyterHub believes it, as it does `Forwarded`,
//! `X-Real-IP` and `X-Scheme` (tornado's `xheaders`, JupyterHub's `get_browser_protocol`). So a server gets none of these
//! as a client has sent them: it gets what the connection shows, and, where that is one of a trusted proxy, what that
//! proxy says. Of a row of proxies each adds itself at the right, so that what is right of the first address which is not
//! trusted was written by those who are; the rest may be invented, and goes no further.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::Deserialize;

use super::headers::{FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO};
use crate::client::Client;

static SCHEME: HeaderName = HeaderName::from_static("x-scheme");

/// The proxies whose word is taken.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Trust(Vec<IpNet>);

impl Trust {
    fn includes(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl TryFrom<Vec<String>> for Trust {
    type Error = ipnet::AddrParseError;

    fn try_from(networks: Vec<String>) -> Result<Self, Self::Error> {
        let read = |text: &String| match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse(),
        };
        networks
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Address of the client: of whom the first trusted proxy speaks with, or of whoever connected.
    pub address: IpAddr,
    /// Whether the client's own connection is secured, be it by us or by a trusted proxy.
    pub is_secure: bool,
    /// Whether a trusted proxy is between.
    pub is_behind: bool,
    /// The addresses from the client to the last proxy, as in `X-Forwarded-For`.
    pub row: HeaderValue,
    /// Host that the client asked for, if a trusted proxy says so.
    pub host: Option<HeaderValue>,
    /// Port that the client asked on, if a trusted proxy says so.
    pub port: Option<HeaderValue>,
}

impl Origin {
    /// Where a request with these headers comes from, that `client` has sent.
    pub fn new(headers: &HeaderMap, client: &Client, trust: &Trust) -> Self {
        if client.is_local || trust.includes(client.ip) {
            Self::behind(headers, client, trust)
        } else {
            Self {
                address: client.ip,
                is_secure: client.is_secure,
                is_behind: false,
                row: client.address.clone(),
                host: None,
                port: None,
            }
        }
    }

    fn behind(headers: &HeaderMap, proxy: &Client, trust: &Trust) -> Self {
        let mut row = vec![proxy.ip];
        // Entries that were written by trusted proxies.
        let mut count = 0;
        for entry in entries(headers, &FORWARDED_FOR).into_iter().rev() {
            count += 1;
            let Some(address) = address_in(entry) else {
                break;
            };
            row.push(address);
            if !trust.includes(address) {
                break;
            }
        }
        let count = count.max(1);
        let scheme =
            said(headers, &FORWARDED_PROTO, count).or_else(|| said(headers, &SCHEME, count));
        let address = row.last().copied().unwrap_or(proxy.ip);
        let row: Vec<String> = row.iter().rev().map(ToString::to_string).collect();
        Self {
            address,
            is_secure: scheme.and_then(is_secure).unwrap_or(proxy.is_secure),
            is_behind: true,
            row: HeaderValue::try_from(row.join(",")).unwrap_or_else(|_| proxy.address.clone()),
            host: said(headers, &FORWARDED_HOST, count).and_then(host_in),
            port: said(headers, &FORWARDED_PORT, count).and_then(port_in),
        }
    }
}

/// Whether a server must not get this header as it came.
pub fn is_claim(name: &HeaderName, is_behind: bool) -> bool {
    match name.as_str() {
        "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-port" | "x-forwarded-proto"
        | "forwarded" | "x-real-ip" | "x-scheme" => true,
        name => !is_behind && name.starts_with("x-forwarded-"),
    }
}

/// What is said of the client's own connection. Of several entries the last `count` are by trusted proxies; those that
/// replace what came, as most do, leave fewer.
fn said<'a>(headers: &'a HeaderMap, name: &HeaderName, count: usize) -> Option<&'a str> {
    let entries = entries(headers, name);
    entries.get(entries.len().saturating_sub(count)).copied()
}

/// The entries of a list. One that is no text is an empty one.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect()
}

/// An address, with a port as some load balancers write it or without.
fn address_in(entry: &str) -> Option<IpAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(entry).parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

fn is_secure(scheme: &str) -> Option<bool> {
    // Traefik says by which scheme a WebSocket came.
    if ["https", "wss"]
        .iter()
        .any(|secure| scheme.eq_ignore_ascii_case(secure))
    {
        Some(true)
    } else if ["http", "ws"]
        .iter()
        .any(|plain| scheme.eq_ignore_ascii_case(plain))
    {
        Some(false)
    } else {
        None
    }
}

fn host_in(entry: &str) -> Option<HeaderValue> {
    let host = Authority::try_from(entry).ok()?;
    // A name before the host is no part of one (RFC 9110, section 4.2.4).
    if host.as_str().contains('@') {
        return None;
    }
    HeaderValue::try_from(host.as_str()).ok()
}

fn port_in(entry: &str) -> Option<HeaderValue> {
    let port = entry.parse::<u16>().ok()?;
    Some(HeaderValue::from(port))
}

/// The port in a `Host` header; the colons of an IPv6 address are none.
pub fn port_of(host: &str) -> Option<&str> {
    let (_, port) = host.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(networks: &[&str]) -> Trust {
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        Trust::try_from(networks).unwrap()
    }

    fn client(address: &str) -> Client {
        Client::new(SocketAddr::new(address.parse().unwrap(), 9))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    /// The row for these values of `X-Forwarded-For`, from a proxy at 10.0.0.1.
    fn row(trusted: &[&str], values: &[&str]) -> String {
        let pairs: Vec<_> = values
            .iter()
            .map(|value| ("x-forwarded-for", *value))
            .collect();
        let origin = Origin::new(&headers(&pairs), &client("10.0.0.1"), &trust(trusted));
        let row = origin.row.to_str().unwrap().to_string();
        assert_eq!(row.split(',').next().unwrap(), origin.address.to_string());
        row
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        for trusted in [&[][..], &["10.0.0.2"], &["192.0.2.0/24", "::/0"]] {
            assert_eq!(row(trusted, &["192.0.2.1"]), "10.0.0.1", "{trusted:?}");
        }
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_trusted() {
        let near = &["10.0.0.0/8", "2001:db8::/32", "::ffff:198.51.100.1"][..];
        for (values, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1,10.0.0.1"),
            (&["6.6.6.6, 192.0.2.1"], "192.0.2.1,10.0.0.1"),
            (&["6.6.6.6", "192.0.2.1"], "192.0.2.1,10.0.0.1"),
            (&["192.0.2.1, 10.9.9.9"], "192.0.2.1,10.9.9.9,10.0.0.1"),
            (
                &["6.6.6.6,192.0.2.1,2001:db8::5 ,10.9.9.9"],
                "192.0.2.1,2001:db8::5,10.9.9.9,10.0.0.1",
            ),
            (
                &["192.0.2.1,198.51.100.1"],
                "192.0.2.1,198.51.100.1,10.0.0.1",
            ),
            (&["10.0.0.7, 10.0.0.8"], "10.0.0.7,10.0.0.8,10.0.0.1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1,10.0.0.1"),
            (&["192.0.2.1:4711"], "192.0.2.1,10.0.0.1"),
            (&["[2001:db9::1]:443"], "2001:db9::1,10.0.0.1"),
            (&["[2001:db9::1]"], "2001:db9::1,10.0.0.1"),
        ] {
            assert_eq!(row(near, values), expected, "{values:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_row_and_does_not_stand_in_it() {
        for value in [
            "unknown",
            "6.6.6.6, unknown",
            "192.0.2.1,",
            "192.0.2.1 6.6.6.6",
            "é",
        ] {
            assert_eq!(row(&["10.0.0.0/8"], &[value]), "10.0.0.1", "{value}");
        }
        assert_eq!(
            row(&["10.0.0.0/8"], &["6.6.6.6, _x, 10.0.0.5"]),
            "10.0.0.5,10.0.0.1"
        );
    }

    /// What is believed of these headers from a trusted proxy: whether it is secure, host and port.
    fn believed(pairs: &[(&'static str, &str)]) -> (bool, String, String) {
        let origin = Origin::new(
            &headers(pairs),
            &client("10.0.0.1"),
            &trust(&["10.0.0.0/8"]),
        );
        let text = |value: Option<HeaderValue>| {
            value.map_or(String::new(), |value| value.to_str().unwrap().to_string())
        };
        (origin.is_secure, text(origin.host), text(origin.port))
    }

    #[test]
    fn scheme_host_and_port_are_those_of_the_client_s_own_connection() {
        let (address, proto) = ("x-forwarded-for", "x-forwarded-proto");
        let (host, port) = ("x-forwarded-host", "x-forwarded-port");
        for (pairs, expected) in [
            (&[][..], (false, "", "")),
            (
                &[(proto, "https"), (host, "h.org:8443"), (port, "8443")],
                (true, "h.org:8443", "8443"),
            ),
            (&[(proto, "wss")], (true, "", "")),
            (
                &[(proto, "gopher"), (host, "a b"), (port, "x")],
                (false, "", ""),
            ),
            (&[(host, "me@h.org"), (port, "65536")], (false, "", "")),
            (&[("x-scheme", "https")], (true, "", "")),
            (&[("x-scheme", "https"), (proto, "http")], (false, "", "")),
            // One proxy that adds to what the client has invented.
            (
                &[
                    (address, "6.6.6.6, 192.0.2.1"),
                    (host, "evil, h.org"),
                    (proto, "https, http"),
                ],
                (false, "h.org", ""),
            ),
            // Two, that add to each other's.
            (
                &[
                    (address, "192.0.2.1, 10.0.0.2"),
                    (host, "h.org, inner"),
                    (proto, "https, http"),
                ],
                (true, "h.org", ""),
            ),
            // The second of two replaces.
            (
                &[
                    (address, "192.0.2.1, 10.0.0.2"),
                    (host, "inner"),
                    (proto, "https"),
                ],
                (true, "inner", ""),
            ),
        ] {
            let (is_secure, host, port) = believed(pairs);
            assert_eq!((is_secure, &*host, &*port), expected, "{pairs:?}");
        }
    }

    #[test]
    fn who_may_open_the_socket_s_file_is_trusted() {
        let said = headers(&[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ]);
        let origin = Origin::new(&said, &Client::local(), &Trust::default());
        assert_eq!(
            (origin.row.to_str().unwrap(), origin.is_secure),
            ("192.0.2.1,127.0.0.1", true)
        );
    }

    #[test]
    fn a_client_s_own_words_about_itself_go_no_further() {
        for name in [
            "forwarded",
            "x-real-ip",
            "x-scheme",
            "x-forwarded-for",
            "x-forwarded-proto",
        ] {
            let name = HeaderName::from_static(name);
            assert!(is_claim(&name, false) && is_claim(&name, true), "{name}");
        }
        let user = HeaderName::from_static("x-forwarded-user");
        assert!(is_claim(&user, false) && !is_claim(&user, true));
        assert!(!is_claim(&HeaderName::from_static("cookie"), false));
    }

    #[test]
    fn the_port_of_a_host_header_is_what_follows_its_last_colon() {
        assert_eq!(port_of("hub.example.org:8080"), Some("8080"));
        assert_eq!(port_of("[::1]:81"), Some("81"));
        assert_eq!(port_of("[::1]"), None);
        assert_eq!(port_of("hub.example.org"), None);
    }
}
