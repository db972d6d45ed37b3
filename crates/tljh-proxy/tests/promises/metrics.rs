use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use tungstenite::Message;

use crate::backend::{Backend, reply};
use crate::client::{Connection, request};
use crate::proxy::{Proxy, free_port, until};
use crate::websocket::{echo_server, open};

const SHOW: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";

fn text(proxy: &Proxy) -> String {
    let answer = request(proxy.api_port, SHOW);
    assert_eq!(answer.status, 200);
    answer.text()
}

/// The sample of this name and these labels, exactly as it is written.
fn sample(text: &str, name: &str) -> f64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("{name} in {text}"))
        .parse()
        .unwrap()
}

fn figure(proxy: &Proxy, name: &str) -> f64 {
    sample(&text(proxy), name)
}

#[test]
fn figures_agree_with_what_was_asked_and_answered() {
    let proxy = Proxy::start();
    proxy.add_hub_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", Backend::echo("a").port);
    let moved = Backend::start(|_, stream| {
        let head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
        stream.get_mut().write_all(head).is_ok()
    });
    proxy.add_route("/user/b", moved.port);
    proxy.add_route("/user/dead", free_port());
    let ask = |target: &str, status: u16, times: usize| {
        (0..times).for_each(|_| assert_eq!(proxy.get(target).status, status));
    };
    ask("/hub/home", 200, 3);
    ask("/user/a/lab", 200, 5);
    ask("/user/b/lab", 302, 2);
    // The hub's page, but the proxy's verdict.
    ask("/user/dead/lab", 503, 4);
    let refused = request(proxy.port, b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    let malformed = request(proxy.port, b"bad header\r\n\r\n");
    assert_eq!((refused.status, malformed.status), (400, 400));
    assert_eq!(proxy.api("DELETE", "/api/routes/user/b", "").status, 204);

    let text = text(&proxy);
    for (name, value) in [
        (
            "tljh_proxy_requests_total{upstream=\"hub\",code=\"2xx\"}",
            3.0,
        ),
        (
            "tljh_proxy_requests_total{upstream=\"server\",code=\"2xx\"}",
            5.0,
        ),
        (
            "tljh_proxy_requests_total{upstream=\"server\",code=\"3xx\"}",
            2.0,
        ),
        (
            "tljh_proxy_requests_total{upstream=\"none\",code=\"5xx\"}",
            4.0,
        ),
        (
            "tljh_proxy_requests_total{upstream=\"none\",code=\"4xx\"}",
            1.0,
        ),
        (
            "tljh_proxy_request_duration_seconds_count{upstream=\"server\"}",
            7.0,
        ),
        (
            "tljh_proxy_request_duration_seconds_bucket{upstream=\"server\",le=\"+Inf\"}",
            7.0,
        ),
        (
            "tljh_proxy_failures_total{cause=\"upstream\",reason=\"connect\"}",
            4.0,
        ),
        (
            "tljh_proxy_failures_total{cause=\"upstream\",reason=\"no_answer\"}",
            0.0,
        ),
        (
            "tljh_proxy_failures_total{cause=\"client\",reason=\"refused\"}",
            1.0,
        ),
        (
            "tljh_proxy_failures_total{cause=\"client\",reason=\"malformed\"}",
            1.0,
        ),
        ("tljh_proxy_routes", 3.0),
        (
            "tljh_proxy_api_requests_total{method=\"post\",code=\"2xx\"}",
            4.0,
        ),
        (
            "tljh_proxy_api_requests_total{method=\"delete\",code=\"2xx\"}",
            1.0,
        ),
        ("tljh_proxy_connections_total{protocol=\"http\"}", 16.0),
    ] {
        assert_eq!(sample(&text, name), value, "{name} in {text}");
    }
    let seconds = "tljh_proxy_request_duration_seconds_sum{upstream=\"server\"}";
    assert!(sample(&text, seconds) > 0.0);
}

#[test]
fn what_is_open_is_counted_until_it_ends() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", echo_server());
    let mut kernel = open(&proxy, "/user/a/channels");
    let idle = Connection::open(proxy.port);
    let shows = |name: &'static str, value: f64| {
        until(name, || (figure(&proxy, name) == value).then_some(()));
    };
    shows("tljh_proxy_open_connections{protocol=\"http\"}", 1.0);
    shows("tljh_proxy_open_websockets", 1.0);
    let switched = "tljh_proxy_requests_total{upstream=\"server\",code=\"1xx\"}";
    assert_eq!(figure(&proxy, switched), 1.0);
    kernel.close(None).unwrap();
    while kernel.read().is_ok() {}
    drop((kernel, idle));
    shows("tljh_proxy_open_connections{protocol=\"http\"}", 0.0);
    shows("tljh_proxy_open_websockets", 0.0);
    assert_eq!(figure(&proxy, "tljh_proxy_websockets_total"), 1.0);
}

#[test]
fn requests_that_wait_for_the_hub_are_counted() {
    let proxy = Proxy::start_set(json!({"hub_wait": 300}));
    let port = free_port();
    proxy.add_hub_route("/", port);
    let mut clients: Vec<_> = (0..3).map(|_| Connection::open(proxy.port)).collect();
    for client in &mut clients {
        client.send(b"GET /hub/home HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let waiting = "tljh_proxy_waiting_requests";
    until("all wait", || {
        (figure(&proxy, waiting) == 3.0).then_some(())
    });
    let _hub = Backend::echo_on(port, "hub");
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
    until("none waits", || {
        (figure(&proxy, waiting) == 0.0).then_some(())
    });
    assert_eq!(figure(&proxy, "tljh_proxy_waited_requests_total"), 3.0);
    let failures = "tljh_proxy_failures_total{cause=\"upstream\",reason=\"connect\"}";
    assert_eq!(figure(&proxy, failures), 0.0, "waiting is no failure");
}

#[test]
fn figures_name_nobody_and_need_no_token_where_routes_do() {
    let proxy = Proxy::start();
    let server = Backend::echo("alice");
    proxy.add_route("/user/alice", server.port);
    assert_eq!(proxy.get("/user/alice/secret.ipynb").status, 200);
    let text = text(&proxy);
    for word in ["alice", "secret", &server.port.to_string(), "127.0.0.1"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    let post = request(
        proxy.api_port,
        b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(post.status, 405);
    let routes = request(
        proxy.api_port,
        b"GET /api/routes HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(routes.status, 403);
    // Browsers see the hub's page of that name, if it has one.
    assert_eq!(proxy.get("/metrics").status, 404);
}

#[test]
fn figures_of_the_process_are_those_of_the_system() {
    let proxy = Proxy::start();
    let text = text(&proxy);
    let resident = sample(&text, "process_resident_memory_bytes") / 1024.0;
    let seen = proxy.memory("VmRSS:") as f64;
    assert!(
        (resident / seen - 1.0).abs() < 0.5,
        "{resident} KiB, {seen} KiB"
    );
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", proxy.first())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let soft: f64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(sample(&text, "process_max_fds"), soft);
    assert!(sample(&text, "process_open_fds") >= proxy.idle as f64);
    assert!(sample(&text, "process_threads") >= 3.0);
    let started = sample(&text, "process_start_time_seconds");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!(started <= now && now - started < 3600.0);
}

#[test]
fn no_scrape_fails_while_processes_take_over_and_each_begins_at_zero() {
    let proxy = Arc::new(Proxy::start());
    proxy.add_route("/", Backend::echo("hub").port);
    let over = Arc::new(AtomicBool::new(false));
    let scrapes = {
        let (proxy, over) = (proxy.clone(), over.clone());
        thread::spawn(move || {
            let mut kept = Connection::open(proxy.api_port);
            while !over.load(Ordering::SeqCst) {
                text(&proxy);
                kept.send(SHOW);
                let answer = kept.read_response();
                assert_eq!(answer.status, 200);
                if answer.header("connection") == Some("close") {
                    kept = Connection::open(proxy.api_port);
                }
            }
        })
    };
    let asked = "tljh_proxy_requests_total{upstream=\"server\",code=\"2xx\"}";
    for _ in 0..4 {
        assert_eq!(proxy.get("/x").status, 200);
        assert!(figure(&proxy, asked) >= 1.0);
        proxy.reload();
        assert_eq!(figure(&proxy, asked), 0.0);
    }
    over.store(true, Ordering::SeqCst);
    scrapes.join().unwrap();
}

#[test]
fn a_server_that_fails_over_and_over_does_not_fill_the_log() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", free_port());
    proxy.add_route("/user/b", free_port());
    for _ in 0..50 {
        assert_eq!(proxy.get("/user/a/x").status, 503);
    }
    assert_eq!(proxy.get("/user/b/x").status, 503);
    until("what fails elsewhere is said", || {
        proxy
            .log()
            .contains("GET /user/b/x from 127.0.0.1: backend")
            .then_some(())
    });
    assert_eq!(
        proxy
            .log()
            .matches("GET /user/a/x from 127.0.0.1: backend")
            .count(),
        10
    );
    let failures = "tljh_proxy_failures_total{cause=\"upstream\",reason=\"connect\"}";
    assert_eq!(figure(&proxy, failures), 51.0);
}

#[test]
fn an_answer_that_breaks_off_is_the_server_s_fault_and_a_body_that_does_the_client_s() {
    let proxy = Proxy::start();
    let short = Backend::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
        stream.get_mut().write_all(head).unwrap();
        false
    });
    proxy.add_route("/short", short.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    let reads = Backend::start(|_, stream| {
        let mut byte = [0];
        while std::io::Read::read(stream, &mut byte).is_ok_and(|read| read > 0) {}
        reply(stream, "", "")
    });
    proxy.add_route("/reads", reads.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"POST /reads HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnonsense\r\n");
    for name in [
        "tljh_proxy_failures_total{cause=\"upstream\",reason=\"broken_answer\"}",
        "tljh_proxy_failures_total{cause=\"client\",reason=\"incomplete\"}",
    ] {
        until(name, || (figure(&proxy, name) == 1.0).then_some(()));
    }
}

#[test]
fn websockets_of_the_process_before_are_served_on_and_not_counted_twice() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", echo_server());
    let mut kernel = open(&proxy, "/user/a/channels");
    proxy.reload();
    kernel.send(Message::text("x")).unwrap();
    assert!(kernel.read().is_ok());
    assert_eq!(figure(&proxy, "tljh_proxy_open_websockets"), 0.0);
}
