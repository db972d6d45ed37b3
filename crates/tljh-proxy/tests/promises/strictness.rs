use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::{Backend, reply};
use crate::client::Connection;
use crate::proxy::Proxy;

/// What comes back for these bytes until the connection is closed.
fn all_that_comes(proxy: &Proxy, bytes: &[u8]) -> String {
    let mut client = Connection::open(proxy.port);
    client.send(bytes);
    let mut answer = Vec::new();
    let _ = client.stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_request_that_could_be_read_in_two_ways_is_refused_and_reaches_no_backend() {
    let proxy = Proxy::start();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let hub = Backend::start(move |_, stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        reply(stream, "", "x")
    });
    proxy.add_route("/", hub.port);
    for headers in [
        "Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "Host: h\r\nTransfer-Encoding: chunked\r\nX: y\r\ncontent-length:5",
        "Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: identity",
        "Host: h\r\nTransfer-Encoding: gzip",
        "Host: h\r\nTransfer-Encoding: gzip, chunked",
        "Host: h\r\nTransfer-Encoding: chunked, gzip",
        "Host: h\r\nTransfer-Encoding: xchunked",
        "Host: h\r\nTransfer-Encoding: \"chunked\"",
        "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Host: h\r\nTransfer-Encoding:",
        "Host: h\r\nTransfer-Encoding : chunked",
        "Host: h\r\n Transfer-Encoding: chunked",
        "Host: h\r\nX: y\r\n Transfer-Encoding: chunked",
        "Host: h\r\nContent-Length: 5\r\nContent-Length: 6",
        "Host: h\r\nContent-Length: 5\r\nContent-Length: 5",
        "Host: h\r\nContent-Length: 5, 6",
        "Host: h\r\nContent-Length: +5",
        "Host: h\r\nContent-Length: -5",
        "Host: h\r\nContent-Length: 0x5",
        "Host: h\r\nContent-Length: 5 5",
        "Host: h\r\nContent-Length:",
        "Host: h\r\nContent-Length: 99999999999999999999",
        "Host: h\r\nContent-Length : 5",
        "Host: h\r\nHost: i",
        "Host: h\r\nHost: h",
        "Host:",
        "Host: h/x",
        "Host: u@h",
        "Host: h:80:81",
        "Host: h..x",
        "Host: [::1",
        "X: y",
        "Host: h\r\nX: a\0b",
        "Host: h\r\nX: a\rb",
        "Host: h\r\nX y",
    ] {
        let sent = format!("POST /x HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n");
        let answer = all_that_comes(&proxy, sent.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers}: {answer}");
    }
    for start in [
        "POST /x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked",
        "POST /x HTTP/2.0\r\nHost: h",
        "POST /x y HTTP/1.1\r\nHost: h",
        "POST  /x HTTP/1.1\r\nHost: h",
        "POST /x\r\nHost: h",
        "PO ST /x HTTP/1.1\r\nHost: h",
        "POST /<x> HTTP/1.1\r\nHost: h",
        "POST /x#y HTTP/1.1\r\nHost: h",
        "POST * HTTP/1.1\r\nHost: h",
        "POST h:80 HTTP/1.1\r\nHost: h",
        "POST h HTTP/1.1\r\nHost: h",
        "POST http://u:p@h/x HTTP/1.1\r\nHost: h",
        "POST ://h/x HTTP/1.1\r\nHost: h",
        "POST ftp://h/x HTTP/1.1\r\nHost: h",
        "POST http://h..x/ HTTP/1.1\r\nHost: h",
    ] {
        let answer = all_that_comes(&proxy, format!("{start}\r\n\r\n").as_bytes());
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{start}: {answer}"
        );
    }
    for start in ["CONNECT h:1", "TRACE /x"] {
        let sent = format!("{start} HTTP/1.1\r\nHost: h:1\r\n\r\n");
        let answer = all_that_comes(&proxy, sent.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405 "), "{start}: {answer}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn an_ambiguous_request_is_refused_behind_others_too() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let first = [
        "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for first in first {
        let both = "POST /y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n";
        let answers = all_that_comes(&proxy, [first, first, both].concat().as_bytes());
        let statuses: Vec<&str> = answers
            .match_indices("HTTP/1.1 ")
            .filter_map(|(at, _)| answers.get(at + 9..at + 12))
            .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        assert_eq!(statuses, ["200", "200", "400"], "{answers}");
    }
}

#[test]
fn a_malformed_chunk_ends_the_request_and_its_connection() {
    let proxy = Proxy::start();
    let hub = Backend::start(|_, stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("GET /second"));
        false
    });
    proxy.add_route("/", hub.port);
    for body in ["zz\r\nabc\r\n0\r\n\r\n", "-1\r\n\r\n", "3\r\nabcX0\r\n\r\n"] {
        let sent = format!(
            "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}GET /second HTTP/1.1\r\nHost: h\r\n\r\n"
        );
        let answer = all_that_comes(&proxy, sent.as_bytes());
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{body}: {answer}"
        );
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{body}: {answer}");
    }
}

#[test]
fn headers_of_one_connection_stay_on_it() {
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        let names: Vec<&str> = request
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        reply(
            stream,
            "Connection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nX-One: 1\r\nSet-Cookie: a\r\nX-Two: 2\r\nSet-Cookie: b\r\n",
            &names.join(" "),
        )
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(
        b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: 5\r\nX-Own: 1\r\nA: 1\r\nTE: trailers\r\n\
        Trailer: x\r\nB: 2\r\nProxy-Connection: close\r\nUpgrade: websocket\r\nA: 3\r\nC: 4\r\n\r\n",
    );
    let answer = client.read_response();
    let sent = "host a a b c x-forwarded-for x-forwarded-port x-forwarded-proto x-forwarded-host";
    assert_eq!(answer.text(), sent);
    let came: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .filter(|header| !header.starts_with("content-length"))
        .collect();
    assert_eq!(came, ["x-one=1", "set-cookie=a", "set-cookie=b", "x-two=2"]);
}

#[test]
fn as_many_cookies_pass_as_jupyterhub_may_set() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let request = |headers: &str| format!("GET /x HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let many: String = (0..150)
        .map(|number| format!("Cookie: c{number}=x\r\n"))
        .collect();
    let large = format!("Cookie: {}\r\n", "x".repeat(60 << 10));
    for headers in [&many, &large] {
        let answer = crate::client::request(proxy.port, request(headers).as_bytes());
        assert_eq!(answer.status, 200);
        let cookies = answer.text().matches("cookie: ").count();
        assert_eq!(cookies, headers.lines().count());
    }
    let too_many: String = (0..250)
        .map(|number| format!("Cookie: c{number}=x\r\n"))
        .collect();
    let too_large = format!("Cookie: {}\r\n", "x".repeat(65 << 10));
    for headers in [too_many, too_large] {
        let answer = all_that_comes(&proxy, request(&headers).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[test]
fn a_target_too_long_behind_the_routes_path_is_refused_and_not_cut() {
    let proxy = Proxy::start();
    let server = Backend::echo("server");
    let based = |base: &str| {
        serde_json::json!({"target": format!("http://127.0.0.1:{}/{base}", server.port)})
            .to_string()
    };
    let answer = proxy.api("POST", "/api/routes/", &based(&"b".repeat(900)));
    assert_eq!(answer.status, 201);
    assert_eq!(proxy.get(&format!("/{}", "x".repeat(64_000))).status, 200);
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(65_000));
    let answer = all_that_comes(&proxy, long.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    assert_eq!(
        proxy.api("POST", "/api/routes/", &based("base")).status,
        201
    );
    let every = all_that_comes(
        &proxy,
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert!(every.contains("\r\n\r\nOPTIONS * HTTP/1.1\n"), "{every}");
}

#[test]
fn an_answer_without_a_body_has_no_length_that_hides_the_next_one() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        use std::io::Write as _;
        let answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-One: 1\r\n\r\n";
        stream.get_mut().write_all(answer).is_ok()
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    for _ in 0..3 {
        client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = client.read_head();
        assert_eq!((answer.status, answer.header("x-one")), (204, Some("1")));
        for name in ["content-length", "transfer-encoding"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
}
