use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::{Backend, Stream, reply};
use crate::client::{Connection, Response, request};
use crate::proxy::{Proxy, free_port};

fn own(answer: &Response) -> bool {
    answer.text().contains("http-equiv=\"refresh\"")
}

/// Answers with what came, as a page that sets a cookie.
fn page(line: &str, names: &[&str], stream: &mut Stream) -> bool {
    let headers = "Content-Type: text/html; x\r\nSet-Cookie: a=b\r\nX-Own: 1\r\n";
    reply(stream, headers, &format!("{line}\n{}", names.join(" ")))
}

fn hub() -> Backend {
    Backend::start(|request, stream| {
        let names = request.headers.iter().map(|(name, _)| name.as_str());
        page(&request.line, &names.collect::<Vec<_>>(), stream)
    })
}

#[test]
fn a_server_that_is_gone_gets_the_hubs_page() {
    let proxy = Proxy::start();
    proxy.add_hub_route("/", hub().port);
    proxy.add_route("/user/a", free_port());
    for sent in [
        "GET /user/a/lab%20x?token=s3cret HTTP/1.1\r\nHost: h\r\nCookie: c=s3cret\r\nAuthorization: s3cret\r\n\r\n",
        "POST /user/a/lab%20x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let answer = request(proxy.port, sent.as_bytes());
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.text(),
            "GET /hub/error/503?url=%2Fuser%2Fa%2Flab%2520x HTTP/1.1\nhost"
        );
        assert_eq!(answer.header("content-type"), Some("text/html; x"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for name in ["set-cookie", "x-own"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
    assert!(!proxy.log().contains("s3cret"));
}

#[test]
fn a_page_of_the_hubs_leaves_both_connections_fit_for_use() {
    let proxy = Proxy::start();
    let hub = hub();
    proxy.add_hub_route("/", hub.port);
    proxy.add_route("/user/a", free_port());
    let mut client = Connection::open(proxy.port);
    for _ in 0..5 {
        for (target, status) in [("/user/a/x", 503), ("/hub/login", 200)] {
            client.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
            assert_eq!(client.read_response().status, status);
        }
    }
    assert_eq!(hub.connections(), 1);
}

#[test]
fn a_path_without_a_route_gets_the_hubs_page_below_its_prefix() {
    let proxy = Proxy::start();
    proxy.add_hub_route("/@/space%20word/", hub().port);
    let answer = proxy.get("/elsewhere/é?x");
    assert_eq!(answer.status, 404);
    let asked = "GET /@/space%20word/hub/error/404?url=%2Felsewhere%2F%C3%A9 HTTP/1.1\n";
    assert!(answer.text().starts_with(asked), "{}", answer.text());
}

#[test]
fn an_upgrade_and_a_head_ask_the_hub_for_nothing() {
    let proxy = Proxy::start();
    let hub = hub();
    proxy.add_hub_route("/", hub.port);
    proxy.add_route("/user/a", free_port());
    let upgrade = request(
        proxy.port,
        b"GET /user/a/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!((upgrade.status, upgrade.body.len()), (503, 0));
    let mut head = Connection::open(proxy.port);
    head.send(b"HEAD /user/a/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.read_head().status, 503);
    assert_eq!(hub.connections(), 0);
}

#[test]
fn the_page_is_ours_where_the_hub_has_none() {
    let proxy = Proxy::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    // It fails, then closes, then is silent for as long as the proxy is patient.
    let hub = Backend::start(move |_, stream| {
        use std::io::Write as _;
        match counter.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let failed = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno";
                stream.get_mut().write_all(failed).is_ok()
            }
            1 => false,
            _ => {
                let _ = stream.read_to_end(&mut Vec::new());
                false
            }
        }
    });
    proxy.add_route("/user/a", free_port());
    assert!(own(&proxy.get("/user/a/x")), "there is no hub");
    proxy.add_hub_route("/", hub.port);
    for _ in 0..3 {
        let answer = proxy.get("/user/a/x");
        assert!(answer.status == 503 && own(&answer), "{}", answer.text());
    }
    assert!(asked.load(Ordering::SeqCst) >= 3);
    proxy.add_hub_route("/", free_port());
    assert!(own(&proxy.get("/user/a/x")), "the hub is gone as well");
}
