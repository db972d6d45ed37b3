//! The host that a request is for.

use http::request::Parts;
use http::{HeaderValue, Method, Version, header};

/// Whether the request has the one `Host` that HTTP/1.1 asks for, and this, like a host that the target names, is written
/// as one (RFC 9112, section 3.2): no server is to see another host in it than we do.
pub fn has_one_host(came: &Parts) -> bool {
    let mut hosts = came.headers.get_all(header::HOST).iter();
    let is_named = match (hosts.next(), hosts.next()) {
        (None, _) => came.version < Version::HTTP_11,
        (Some(host), None) => is_host(host.as_bytes()),
        _ => false,
    };
    is_named && is_target_right(came)
}

/// Of the forms that a target may have, `*` is that of `OPTIONS` alone, and a host without a scheme that of `CONNECT`
/// (RFC 9112, section 3.2).
fn is_target_right(came: &Parts) -> bool {
    let (uri, method) = (&came.uri, &came.method);
    match uri.authority() {
        Some(authority) => {
            let is_url = matches!(uri.scheme_str(), Some("http" | "https"));
            (is_url || method == Method::CONNECT) && is_host(authority.as_str().as_bytes())
        }
        None => uri.path() != "*" || method == Method::OPTIONS,
    }
}

/// A name or an address, and a port or none. Of what a name may have (RFC 3986, section 3.2.2) this leaves what names on
/// the Internet have; user names are no part of it (RFC 9110, section 4.2.4).
fn is_host(named: &[u8]) -> bool {
    let is_part_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let is_part_of_ipv6 = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let end_at = |end: u8, text: &[u8]| text.iter().position(|byte| *byte == end);
    let (is_name, behind) = if let Some(address) = named.strip_prefix(b"[") {
        let Some((address, behind)) =
            end_at(b']', address).and_then(|at| address.split_at_checked(at))
        else {
            return false;
        };
        let is_address = !address.is_empty() && address.iter().all(is_part_of_ipv6);
        (is_address, behind.get(1..).unwrap_or_default())
    } else {
        let at = end_at(b':', named).unwrap_or(named.len());
        let (name, behind) = named.split_at_checked(at).unwrap_or((named, b""));
        let labels = name.strip_suffix(b".").unwrap_or(name);
        let is_name = !labels.is_empty()
            && name.iter().all(is_part_of_name)
            && !name.windows(2).any(|two| two == b"..");
        (is_name, behind)
    };
    is_name
        && match behind.split_first() {
            None => true,
            Some((colon, port)) => {
                *colon == b':' && !port.is_empty() && port.iter().all(u8::is_ascii_digit)
            }
        }
}

/// The host that a request is for, in lower case, without its port; empty where there is none.
pub fn host_of(came: &Parts) -> String {
    let named = match (came.uri.authority(), came.headers.get(header::HOST)) {
        (Some(authority), _) => authority.as_str(),
        (None, host) => host
            .and_then(|host: &HeaderValue| host.to_str().ok())
            .unwrap_or_default(),
    };
    // As CHP: routes cannot name an IPv6 address.
    named
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn came(method: &str, target: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hosts_are_names_or_addresses_with_a_port_or_none() {
        for host in [
            "h",
            "H.example.",
            "hub_1-x",
            "h:8000",
            "192.0.2.1:80",
            "[::1]",
            "[2001:db8::1]:80",
            "[::ffff:192.0.2.1]",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "h:x", "h:-1", "h:80:81", "::1", "[::1", "[]", "[::1]x", "[::1]80", "[h]",
            "h/x", "h?x", "h#x", "h\\x", "a b", "a,b", "u@h", "h..x", "h%2e", "h;x", "<h>", "é",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_request_names_one_host_and_its_target_is_a_path_or_a_url() {
        assert!(has_one_host(&came("GET", "/x", &["h"])));
        assert!(has_one_host(&came("OPTIONS", "*", &["h"])));
        assert!(has_one_host(&came("GET", "HTTPS://other/x", &["h"])));
        assert!(has_one_host(&came("GET", "http://other:80/x", &["h"])));
        assert!(has_one_host(&came("CONNECT", "other:80", &["other:80"])));
        for (target, hosts) in [
            ("/x", &[][..]),
            ("/x", &["h", "h"]),
            ("/x", &["u@h"]),
            ("*", &["h"]),
            ("other:80", &["h"]),
            ("ftp://other/x", &["h"]),
            ("://other/x", &["h"]),
            ("http://u@other/x", &["h"]),
            ("http://ot..her/x", &["h"]),
        ] {
            assert!(
                !has_one_host(&came("GET", target, hosts)),
                "{target} {hosts:?}"
            );
        }
        let mut old = came("GET", "/x", &[]);
        old.version = Version::HTTP_10;
        assert!(has_one_host(&old));
    }

    #[test]
    fn the_target_s_host_counts_before_the_header_s() {
        assert_eq!(host_of(&came("GET", "http://Other:80/x", &["h"])), "other");
        assert_eq!(host_of(&came("GET", "/x", &["Hub.test:80"])), "hub.test");
        assert_eq!(host_of(&came("GET", "/x", &[])), "");
    }
}
