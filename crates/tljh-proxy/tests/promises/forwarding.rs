use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::backend::{Backend, reply};
use crate::client::{Connection, request};
use crate::proxy::{Proxy, TOKEN, free_port, until};

#[test]
fn the_longest_prefix_of_whole_segments_gets_the_request() {
    let proxy = Proxy::start();
    let (hub, a, ab) = (
        Backend::echo("hub"),
        Backend::echo("a"),
        Backend::echo("ab"),
    );
    proxy.add_route("/", hub.port);
    proxy.add_route("/user/a", a.port);
    proxy.add_route("/user/ab/", ab.port);
    for (target, backend) in [
        ("/", "hub"),
        ("/user", "hub"),
        ("/user/", "hub"),
        ("/user/a", "a"),
        ("/user/a/", "a"),
        ("/user/a?x", "a"),
        ("/user/ab", "ab"),
        ("/user/ab/lab", "ab"),
        ("/user/abc", "hub"),
        ("/user/%61/x", "a"),
        ("/?next=/user/a", "hub"),
        ("/user/a%FF", "hub"),
        ("/user/a/%FF", "a"),
    ] {
        assert_eq!(
            proxy.get(target).header("x-backend"),
            Some(backend),
            "{target}"
        );
    }
    assert_eq!(proxy.api("DELETE", "/api/routes/user/a", "").status, 204);
    assert_eq!(proxy.get("/user/a/x").header("x-backend"), Some("hub"));
    assert_eq!(proxy.get("/user/ab/x").header("x-backend"), Some("ab"));
}

#[test]
fn the_target_arrives_byte_for_byte() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    for target in [
        "/",
        "/?",
        "/a?",
        "/a?b",
        "/a?b=",
        "/a??b?",
        "//a//b//",
        "/a/../b/./c",
        "/%41%7e%7E",
        "/%ff%fe?%ff",
        "/%2F%2f",
        "/%",
        "/%zz",
        "/a%00b",
        "/a;b=c,d",
        "/a|b",
        "/{a}[b]^",
        "/a\\b",
        "/é",
        "/~user",
        "/a+b%20c",
        "/a:b@c",
        "/x?y=/z?w",
    ] {
        let answer = proxy.get(target);
        assert_eq!(answer.status, 200, "{target}");
        let echoed = answer.text();
        assert_eq!(
            echoed.lines().next().unwrap(),
            format!("GET {target} HTTP/1.1")
                .bytes()
                .map(char::from)
                .collect::<String>()
        );
    }
}

#[test]
fn methods_the_proxy_does_not_know_pass() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    for method in ["PROPFIND", "PATCH", "OPTIONS", "QUERY", "X-OWN"] {
        let answer = request(
            proxy.port,
            format!("{method} /x HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(),
        );
        assert!(
            answer.text().starts_with(&format!("{method} /x ")),
            "{method}"
        );
    }
}

#[test]
fn the_host_is_kept_and_where_a_request_comes_from_is_told_whatever_it_says_itself() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let plain = proxy.get("/").text();
    for line in [
        "host: hub.test",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-port: 80",
        "x-forwarded-proto: http",
        "x-forwarded-host: hub.test",
    ] {
        assert!(plain.lines().any(|sent| sent == line), "{line} in {plain}");
    }
    let spoofed = request(proxy.port, b"GET / HTTP/1.1\r\nHost: h:8080\r\nX-Forwarded-For: 10.0.0.1\r\n\
        Forwarded: proto=https\r\nX-Real-IP: 10.0.0.1\r\nX-Scheme: https\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\nX-Forwarded-Port: 443\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n");
    for line in [
        "host: h:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
        "x-forwarded-host: h:8080",
        "cookie: a=b",
        "cookie: c=d",
    ] {
        assert!(
            spoofed.text().lines().any(|sent| sent == line),
            "{line} in {}",
            spoofed.text()
        );
    }
    for word in ["10.0.0.1", "https", "outer"] {
        assert!(!spoofed.text().contains(word), "{}", spoofed.text());
    }
}

#[test]
fn connections_are_kept_on_both_sides() {
    let proxy = Proxy::start();
    let hub = Backend::echo("hub");
    proxy.add_route("/", hub.port);
    let mut client = Connection::open(proxy.port);
    for _ in 0..20 {
        client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!(hub.connections(), 1);
}

#[test]
fn a_backend_that_closes_idle_connections_costs_no_request() {
    let proxy = Proxy::start();
    let hub = Backend::start(|request, stream| {
        let mut body = vec![
            0;
            request
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap())
        ];
        stream.read_exact(&mut body).unwrap();
        reply(stream, "", "x");
        false
    });
    proxy.add_route("/", hub.port);
    let mut client = Connection::open(proxy.port);
    for number in 0..300 {
        for sent in [
            "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            client.send(sent.as_bytes());
            assert_eq!(client.read_response().status, 200, "{number} {sent}");
        }
    }
}

#[test]
fn a_request_that_is_not_to_be_repeated_never_reaches_a_backend_twice() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.add_route("/", listener.local_addr().unwrap().port());
    let counted = std::thread::spawn(move || {
        listener.set_nonblocking(true).unwrap();
        let mut seen = 0;
        until("the client has its answer", || {
            if let Ok((mut stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).unwrap();
                if buffer[..read].starts_with(b"GET /end") {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        .unwrap();
                    return Some(());
                }
                seen += 1;
            }
            None
        });
        seen
    });
    let answer = request(
        proxy.port,
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert_eq!(answer.status, 503);
    assert_eq!(proxy.get("/end").status, 200);
    assert_eq!(counted.join().unwrap(), 1);
}

#[test]
fn while_there_is_no_route_the_page_says_that_the_hub_is_starting() {
    let proxy = Proxy::start();
    let answer = proxy.get("/hub/login");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("3"))
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(
        answer.text().contains("The hub is starting")
            && answer.text().contains("http-equiv=\"refresh\"")
    );
}

#[test]
fn a_path_without_a_route_is_not_found() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", free_port());
    let answer = proxy.get("/user/b?x=script");
    assert_eq!(answer.status, 404);
    assert!(!answer.text().contains("refresh") && !answer.text().contains("script"));
}

#[test]
fn a_dead_backend_gets_a_page_that_tries_again() {
    let proxy = Proxy::start();
    proxy.add_hub_route("/", free_port());
    proxy.add_route("/user/a", free_port());
    for (target, words) in [
        ("/hub/login?token=s3cret", "The hub is starting"),
        ("/user/a/lab", "This server does not answer"),
    ] {
        let answer = proxy.get(target);
        assert_eq!(answer.status, 503, "{target}");
        assert!(
            answer.text().contains(words) && answer.text().contains("http-equiv=\"refresh\""),
            "{target}"
        );
        assert!(
            !answer.text().contains("http://"),
            "the page needs nothing else"
        );
    }
    let post = request(
        proxy.port,
        b"POST /user/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert_eq!(post.status, 503);
    let mut head = Connection::open(proxy.port);
    head.send(b"HEAD /user/a/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.read_head().status, 503);
    let upgrade = request(
        proxy.port,
        b"GET /user/a/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!((upgrade.status, upgrade.body.len()), (503, 0));
    until("the failure is logged", || {
        proxy
            .log()
            .contains("GET /hub/login from 127.0.0.1: backend 127.0.0.1:")
            .then_some(())
    });
    assert!(!proxy.log().contains("s3cret"));
}

#[test]
fn what_a_terminal_would_obey_is_not_logged() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a%0Aforged%1B[2J", free_port());
    proxy.add_route("/", free_port());
    // The second half is a control sequence introducer in one character.
    assert_eq!(proxy.get("/x\u{9b}2J").status, 503);
    until("the failure is logged", || {
        proxy.log().contains("GET /x\\u{9b}2J from ").then_some(())
    });
    let log = proxy.log();
    assert!(
        !log.contains("\nforged") && !log.contains(['\u{1b}', '\u{9b}']),
        "{log:?}"
    );
    assert_eq!(proxy.routes().as_object().unwrap().len(), 2);
}

#[test]
fn a_kept_connection_serves_the_route_that_it_was_made_for_and_no_other() {
    let proxy = Proxy::start();
    let server = Backend::echo("server");
    proxy.add_route("/user/a", server.port);
    let mut client = Connection::open(proxy.port);
    let mut ask = |target: &str| {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert_eq!(client.read_response().status, 200);
        server.connections()
    };
    assert_eq!((ask("/user/a/x"), ask("/user/a/x")), (1, 1));
    proxy.add_route("/user/a", server.port);
    assert_eq!(ask("/user/a/x"), 1, "told once more, it is the same route");
    // The port has a new owner; who had it before may still hold the connection.
    assert_eq!(proxy.api("DELETE", "/api/routes/user/a", "").status, 204);
    proxy.add_route("/user/b", server.port);
    assert_eq!((ask("/user/b/x"), ask("/user/b/x")), (2, 2));
}

#[test]
fn a_target_with_https_is_kept_and_gets_no_request() {
    let proxy = Proxy::start();
    let server = Backend::echo("server");
    let target = format!("https://127.0.0.1:{}", server.port);
    let body = json!({ "target": target }).to_string();
    assert_eq!(proxy.api("POST", "/api/routes/x", &body).status, 201);
    assert_eq!(proxy.routes()["/x"]["target"], target);
    assert_eq!(proxy.get("/x").status, 503);
    assert_eq!(server.connections(), 0);
    until("it is said in the log", || {
        let said = "targets with https are not served";
        (proxy.log().matches(said).count() == 2).then_some(())
    });
}

#[test]
fn nothing_secret_is_logged_however_much_is_asked_for() {
    let proxy = Proxy::start_with(tempfile::TempDir::new().unwrap(), |command| {
        command.arg("-vv").env("RUST_LOG", "trace");
    });
    let bad = Backend::start(|_, stream| {
        let _ = stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nbad header s3cret\r\n\r\n");
        false
    });
    proxy.add_route("/", bad.port);
    let cookie = request(
        proxy.port,
        b"GET /x?token=s3cret HTTP/1.1\r\nHost: h\r\nCookie: s3cret\r\nAuthorization: token s3cret\r\n\r\n",
    );
    assert_eq!(cookie.status, 503);
    let malformed = request(
        proxy.port,
        b"GET /x HTTP/1.1\r\nHost: h\r\nCookie: s3cret\r\nbad header s3cret\r\n\r\n",
    );
    assert_eq!(malformed.status, 400);
    until("the failure is logged", || {
        proxy
            .log()
            .contains("GET /x from 127.0.0.1: backend")
            .then_some(())
    });
    let text = proxy.log();
    assert!(!text.contains("s3cret") && !text.contains(TOKEN), "{text}");
}

#[test]
fn a_target_with_a_host_is_sent_as_a_path_and_a_host() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", Backend::echo("a").port);
    let answer = request(
        proxy.port,
        b"GET http://other:81/user/a/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(answer.header("x-backend"), Some("a"));
    assert!(
        answer
            .text()
            .starts_with("GET /user/a/x?y HTTP/1.1\nhost: other:81\n")
    );
    let bare = request(
        proxy.port,
        b"GET http://other?y HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert!(
        bare.text().starts_with("GET /?y HTTP/1.1\nhost: other\n"),
        "{}",
        bare.text()
    );
}
