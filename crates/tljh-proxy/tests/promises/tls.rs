use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use crate::backend::Backend;
use crate::client::{Connection, request};
use crate::proxy::{DEADLINE, Proxy, free_port, until};
use crate::secure::{Files, Secure};
use crate::starting::assert_finished_before_the_stop;
use crate::websocket::{assert_close_comes_back, assert_echoes, assert_messages_pass, echo_server};

#[test]
fn a_server_is_told_that_its_request_came_by_https() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    let answer = secure.get("/hub/a%2Fb?c").text();
    for line in [
        "GET /hub/a%2Fb?c HTTP/1.1\n",
        "host: hub.test\n",
        "x-forwarded-for: 127.0.0.1\n",
        "x-forwarded-port: 443\n",
        "x-forwarded-proto: https\n",
        "x-forwarded-host: hub.test\n",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
}

#[test]
fn tls_1_2_and_1_3_are_spoken_with_the_protocol_that_both_sides_like_best() {
    let secure = Secure::start();
    for (version, number) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for (offered, agreed) in [
            (&[][..], None),
            (&[b"http/1.1".as_slice()], Some(b"http/1.1".as_slice())),
            (&[b"http/1.1", b"h2"], Some(b"h2")),
            (&[b"acme-tls/1", b"h2"], Some(b"h2")),
        ] {
            let tls = secure
                .connect_as(secure.client(offered, &[version]))
                .unwrap();
            assert_eq!(tls.conn.protocol_version(), Some(number));
            assert_eq!(tls.conn.alpn_protocol(), agreed);
        }
    }
    for odd in [b"spdy/1".as_slice(), b"acme-tls/1"] {
        let refused = secure.connect_as(secure.client(&[odd], rustls::ALL_VERSIONS));
        assert!(refused.is_err(), "{}", String::from_utf8_lossy(odd));
    }
}

#[test]
fn what_is_no_handshake_harms_nobody() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    let silent = TcpStream::connect(("127.0.0.1", secure.port)).unwrap();
    let mut plain = Connection::open(secure.port);
    plain.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut rest = Vec::new();
    let _ = plain.stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP"));
    assert_eq!(secure.get("/").status, 200);
    drop(silent);
}

#[test]
fn http_sends_everybody_on_to_https_at_the_same_place() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)] {
        let head = format!(
            "{method} /hub/a%2Fb?next=%2Fx&& HTTP/1.1\r\nHost: Hub.test:80\r\nContent-Length: 0\r\n\r\n"
        );
        let mut client = Connection::open(secure.proxy.port);
        client.send(head.as_bytes());
        let answer = client.read_head();
        let location = format!("https://Hub.test:{}/hub/a%2Fb?next=%2Fx&&", secure.port);
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(location.as_str()))
        );
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    let unnamed = request(secure.proxy.port, b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(unnamed.status, 400);
    assert_eq!(secure.proxy.get("/_chp_healthz").status, 200);
    assert_eq!(secure.get("/").status, 200);
}

#[test]
fn browsers_insist_on_https_only_if_the_administrator_does() {
    for (settings, expected) in [
        (json!({}), None),
        (json!({"hsts": 300}), Some("max-age=300")),
    ] {
        let secure = Secure::start_with(settings);
        secure.proxy.add_route("/", Backend::echo("hub").port);
        for target in ["/", "/_chp_healthz"] {
            let answer = secure.get(target);
            assert_eq!(answer.header("strict-transport-security"), expected);
        }
    }
}

#[test]
fn messages_of_a_websocket_pass_both_ways_and_so_does_its_end() {
    let secure = Secure::start();
    secure.proxy.add_route("/", echo_server());
    let (mut socket, answer) = tungstenite::client("ws://hub.test/ws", secure.connect()).unwrap();
    assert_eq!(answer.status(), 101);
    assert_messages_pass(&mut socket);
    assert_close_comes_back(&mut socket);
    drop(socket);
    until("both sockets are closed", || {
        (secure.proxy.descriptors() <= secure.proxy.idle).then_some(())
    });
}

#[test]
fn a_websocket_whose_client_vanishes_leaves_nothing_behind() {
    let (gone, seen) = channel();
    let gone = Mutex::new(gone);
    let server = Backend::start(move |_, stream| {
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
        stream.get_mut().write_all(answer).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        gone.lock().unwrap().send(()).unwrap();
        false
    });
    let secure = Secure::start();
    secure.proxy.add_route("/", server.port);
    let mut client = secure.open();
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.read_head().status, 101);
    // No word of TLS is said before the socket is closed.
    let _ = client
        .stream
        .get_mut()
        .sock
        .shutdown(std::net::Shutdown::Both);
    seen.recv_timeout(DEADLINE).unwrap();
    drop(client);
    until("both sockets are closed", || {
        (secure.proxy.descriptors() <= secure.proxy.idle).then_some(())
    });
}

#[test]
fn an_event_arrives_while_the_next_one_is_not_there_yet() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Backend::start(move |_, stream| {
        let wait = wait.lock().unwrap();
        let socket = stream.get_mut();
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write_all(head).unwrap();
        for _ in 0..3 {
            socket.write_all(b"9\r\ndata: 1\n\n\r\n").unwrap();
            wait.recv_timeout(DEADLINE).unwrap();
        }
        socket.write_all(b"0\r\n\r\n").is_ok()
    });
    let secure = Secure::start();
    secure.proxy.add_route("/", server.port);
    let mut client = secure.open();
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.read_head();
    for _ in 0..3 {
        assert_eq!(client.read_chunk().unwrap(), b"data: 1\n\n");
        go.send(()).unwrap();
    }
    assert_eq!(client.read_chunk(), None);
}

#[test]
fn a_large_body_passes_unchanged_and_is_never_held_as_a_whole() {
    const SIZE: usize = 96 << 20;
    let server = Backend::start(|_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.get_mut().write_all(head.as_bytes()).unwrap();
        let mut part = vec![0; 1 << 20];
        for _ in 0..SIZE >> 20 {
            stream.read_exact(&mut part).unwrap();
            stream.get_mut().write_all(&part).unwrap();
        }
        true
    });
    let secure = Secure::start();
    secure.proxy.add_route("/", server.port);
    let mut client = secure.open();
    client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes());
    let part: Vec<u8> = (0..1 << 20)
        .map(|number: u32| (number % 253) as u8)
        .collect();
    client.send(&part);
    client.read_head();
    let mut back = vec![0; 1 << 20];
    for _ in 1..SIZE >> 20 {
        client.send(&part);
        client.stream.read_exact(&mut back).unwrap();
        assert!(back == part);
    }
    let peak = secure.proxy.memory("VmHWM");
    assert!(peak < 64 << 10, "{peak} KiB");
}

#[test]
fn an_ambiguous_request_is_refused_as_it_is_by_http() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    for headers in [
        "Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Host: h\r\nContent-Length: 5\r\nContent-Length: 6",
        "Host: h\r\nHost: i",
        "X: y",
    ] {
        let mut client = secure.open();
        client.send(format!("POST /x HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n").as_bytes());
        assert_eq!(client.read_head().status, 400, "{headers}");
    }
}

#[test]
fn a_request_under_way_is_finished_before_the_proxy_stops() {
    let secure = Secure::start();
    let client = secure.open();
    assert_finished_before_the_stop(secure.proxy, secure.port, client);
}

#[test]
fn a_renewed_certificate_is_served_and_no_connection_ends_for_it() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    let mut old = secure.open();
    let ask = b"GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n";
    old.send(ask);
    assert_eq!(old.read_response().status, 200);

    // A key without its certificate, as between the two files, changes nothing.
    let chain = std::fs::read(&secure.files.cert).unwrap();
    secure.files.renew();
    let renewed = std::fs::read(&secure.files.cert).unwrap();
    std::fs::write(&secure.files.cert, &chain).unwrap();
    until("it is told that they do not fit", || {
        secure.status()["last_error"]["what"]
            .as_str()
            .is_some_and(|what| what.contains("not that of"))
            .then_some(())
    });
    drop(secure.open());

    std::fs::write(&secure.files.cert, renewed).unwrap();
    let client = || secure.client(&[], rustls::ALL_VERSIONS);
    until("the new one is served", || secure.connect_as(client()).ok());
    assert_eq!(secure.get("/").status, 200);
    old.send(ask);
    assert_eq!(old.read_response().status, 200);
    until("the trouble is over", || {
        secure.status()["last_error"].is_null().then_some(())
    });
}

#[test]
fn without_a_usable_certificate_http_is_served_as_if_https_were_off() {
    let (files, port) = (Files::new(), free_port());
    std::fs::remove_file(&files.key).unwrap();
    let proxy = Proxy::start_set(json!({"https": files.settings(port)}));
    proxy.add_route("/", Backend::echo("hub").port);
    assert_eq!(proxy.get("/").status, 200);
    let text = std::fs::read(proxy.state("status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(
        (&status["redirects"], &status["certificate"]),
        (&json!(false), &json!(null))
    );
    let what = status["last_error"]["what"].as_str().unwrap();
    assert!(
        what.starts_with(&format!("could not read `{}`", files.key.display())),
        "{what}"
    );
    assert!(proxy.log().contains(what), "{}", proxy.log());
    // Something is served: who comes by HTTPS sees a warning rather than a dead page.
    let secure = Secure { proxy, files, port };
    let stranger = secure
        .connect_as(secure.client(&[], rustls::ALL_VERSIONS))
        .unwrap_err();
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
}

#[test]
fn private_keys_stay_out_of_the_log_and_of_the_status() {
    let secure = Secure::start();
    let key = std::fs::read_to_string(&secure.files.key).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!secure.proxy.log().contains(line));
    assert!(!secure.status().to_string().contains(line));
}

#[test]
fn a_successor_serves_the_renewed_certificate_and_what_is_open_goes_on() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    secure.proxy.add_route("/ws", echo_server());
    let (mut kernel, _) = tungstenite::client("ws://hub.test/ws", secure.connect()).unwrap();
    let mut idle = secure.open();
    idle.send(b"GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n");
    assert_eq!(idle.read_response().status, 200);
    let before = secure.status()["process"].clone();

    secure.files.renew();
    assert!(secure.proxy.listen().status.success());
    secure.proxy.reload();
    assert_eq!(secure.get("/").status, 200);
    assert_ne!(secure.status()["process"], before);
    assert_echoes(&mut kernel);
    idle.send(b"GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n");
    let last = idle.read_response();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
}

#[test]
fn https_is_switched_on_and_off_without_a_restart() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    assert_eq!(proxy.get("/").status, 200);
    let (files, port) = (Files::new(), free_port());
    proxy.set(json!({"https": files.settings(port)}));
    assert!(proxy.listen().status.success());
    proxy.reload();
    assert_eq!(proxy.get("/").status, 301);
    let secure = Secure { proxy, files, port };
    assert_eq!(secure.get("/").status, 200);
    secure.proxy.set(json!({"https": null}));
    assert!(secure.proxy.listen().status.success());
    secure.proxy.reload();
    assert_eq!(secure.proxy.get("/").status, 200);
    until("nobody listens any more", || {
        TcpStream::connect(("127.0.0.1", port)).err()
    });
    assert_eq!(secure.status()["source"], "none");
}
