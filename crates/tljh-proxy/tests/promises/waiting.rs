use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::backend::{Backend, reply};
use crate::client::{Connection, request};
use crate::proxy::{Proxy, free_port, until};

const GET: &[u8] = b"GET /hub/home HTTP/1.1\r\nHost: h\r\n\r\n";

fn patient() -> Proxy {
    Proxy::start_set(json!({"hub_wait": 30}))
}

/// Connections that each wait for an answer to `sent`, which all have reached the proxy.
fn waiting(proxy: &Proxy, count: usize, sent: &[u8]) -> Vec<Connection> {
    let clients: Vec<_> = (0..count).map(|_| Connection::open(proxy.port)).collect();
    until("all are accepted", || {
        (proxy.descriptors() >= proxy.idle + count).then_some(())
    });
    let send = |mut client: Connection| {
        client.send(sent);
        client
    };
    clients.into_iter().map(send).collect()
}

#[test]
fn requests_wait_for_a_hub_that_restarts_and_then_succeed() {
    let proxy = patient();
    let port = free_port();
    proxy.add_hub_route("/", port);
    let mut clients: Vec<_> = [
        "GET /hub/home HTTP/1.1\r\nHost: h\r\n\r\n",
        "DELETE /hub/api HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /hub/login HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST /hub/login HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    ]
    .into_iter()
    .flat_map(|sent| waiting(&proxy, 3, sent.as_bytes()))
    .collect();
    let hub = Backend::echo_on(port, "hub");
    for client in &mut clients {
        let answer = client.read_response();
        assert_eq!(
            (answer.status, answer.header("x-backend")),
            (200, Some("hub"))
        );
    }
    assert!(hub.connections() <= clients.len() + 1);
}

#[test]
fn a_body_is_read_once_the_hub_is_there() {
    let proxy = patient();
    let port = free_port();
    proxy.add_hub_route("/", port);
    let length = 32 << 20;
    let head = format!("POST /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let mut client = waiting(&proxy, 1, head.as_bytes()).remove(0);
    let mut upload = client.stream.get_ref().try_clone().unwrap();
    let before = proxy.memory("VmRSS:");
    let sent = thread::spawn(move || {
        use std::io::Write as _;
        upload.write_all(&vec![b'x'; length]).unwrap();
    });
    // A route of a server is not held up by that, so that there is time for the proxy to read too much.
    proxy.add_route("/user/a", Backend::echo("a").port);
    for _ in 0..100 {
        assert_eq!(proxy.get("/user/a/x").header("x-backend"), Some("a"));
    }
    assert!(!sent.is_finished());
    assert!(proxy.memory("VmRSS:") < before + 8192);
    let _hub = Backend::start_on(port, move |_, stream| {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        reply(
            stream,
            "",
            &body
                .iter()
                .filter(|byte| **byte == b'x')
                .count()
                .to_string(),
        )
    });
    assert_eq!(client.read_response().text(), length.to_string());
    sent.join().unwrap();
}

#[test]
fn requests_wait_for_the_first_route() {
    let proxy = patient();
    let mut clients = waiting(&proxy, 5, GET);
    proxy.add_hub_route("/", Backend::echo("hub").port);
    for client in &mut clients {
        assert_eq!(client.read_response().header("x-backend"), Some("hub"));
    }
}

#[test]
fn a_hub_that_comes_back_elsewhere_is_found() {
    let proxy = patient();
    proxy.add_hub_route("/", free_port());
    let mut clients = waiting(&proxy, 5, GET);
    proxy.add_hub_route("/", Backend::echo("new").port);
    for client in &mut clients {
        assert_eq!(client.read_response().header("x-backend"), Some("new"));
    }
}

#[test]
fn a_request_that_can_be_repeated_waits_for_a_hub_that_closes_and_no_other_does() {
    let proxy = patient();
    let (seen, posted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, posts) = (seen.clone(), posted.clone());
    let hub = Backend::start(move |request, stream| {
        if request.line.starts_with("POST") {
            posts.fetch_add(1, Ordering::SeqCst);
            return false;
        }
        counter.fetch_add(1, Ordering::SeqCst) >= 3 && reply(stream, "", "there")
    });
    proxy.add_hub_route("/", hub.port);
    assert_eq!(proxy.get("/hub/home").text(), "there");
    assert_eq!(seen.load(Ordering::SeqCst), 4);
    let post = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(request(proxy.port, post).status, 503);
    assert_eq!(posted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hub_that_fails_over_a_request_gets_it_a_few_times_at_most() {
    let proxy = Proxy::start_set(json!({"hub_wait": 600}));
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let hub = Backend::start(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        false
    });
    proxy.add_hub_route("/", hub.port);
    assert_eq!(proxy.get("/hub/home").status, 503);
    assert_eq!(seen.load(Ordering::SeqCst), 6);
}

#[test]
fn past_the_wait_comes_the_page_that_tries_again() {
    let proxy = Proxy::start_set(json!({"hub_wait": 1}));
    let early = proxy.get("/hub/home");
    proxy.add_hub_route("/", free_port());
    let mut clients = waiting(&proxy, 20, GET);
    let late = clients.iter_mut().map(Connection::read_response);
    for answer in late.chain([early]) {
        let retry = answer.header("retry-after");
        assert_eq!((answer.status, retry), (503, Some("3")));
        assert!(answer.text().contains("http-equiv=\"refresh\""));
    }
}

#[test]
fn servers_are_never_waited_for() {
    // Longer than the test may take.
    let proxy = Proxy::start_set(json!({"hub_wait": 600}));
    proxy.add_hub_route("/", free_port());
    proxy.add_route("/user/a", free_port());
    proxy.add_route("/user/b", Backend::echo("b").port);
    let _waiting = waiting(&proxy, 50, GET);
    assert_eq!(proxy.get("/user/a/x").status, 503);
    assert_eq!(proxy.get("/user/b/x").header("x-backend"), Some("b"));
}

#[test]
fn many_wait_at_little_cost_and_all_are_answered() {
    let proxy = patient();
    let port = free_port();
    proxy.add_hub_route("/", port);
    let (threads, memory) = (proxy.memory("Threads:"), proxy.memory("VmRSS:"));
    let mut clients = waiting(&proxy, 800, GET);
    proxy.add_route("/user/a", Backend::echo("a").port);
    assert_eq!(proxy.get("/user/a/x").status, 200);
    assert!(proxy.memory("Threads:") <= threads + 4);
    let used = proxy.memory("VmRSS:") - memory;
    assert!(used < 800 * 48, "{used} kB");
    let _hub = Backend::echo_on(port, "hub");
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
}

#[test]
fn clients_that_go_away_while_they_wait_leave_nothing_behind() {
    let proxy = patient();
    let port = free_port();
    proxy.add_hub_route("/", port);
    let clients = waiting(&proxy, 100, GET);
    drop(clients);
    until("all are let go", || {
        (proxy.descriptors() <= proxy.idle).then_some(())
    });
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let _hub = Backend::start_on(port, move |_, stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        reply(stream, "", "x")
    });
    assert_eq!(proxy.get("/hub/home").status, 200);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn a_client_that_leaves_before_its_body_was_read_is_not_waited_for() {
    let proxy = Proxy::start_set(json!({"hub_wait": 300}));
    proxy.add_hub_route("/", free_port());
    let head = "POST /hub/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let sent = [head.as_bytes(), &[b'x'; 50_000]].concat();
    let clients = waiting(&proxy, 3, &sent);
    let figures = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    let wait = |count: usize| {
        let line = format!("tljh_proxy_waiting_requests {count}\n");
        until(&line, || {
            let shown = request(proxy.api_port, figures).text();
            shown.contains(&line).then_some(())
        });
    };
    wait(3);
    drop(clients);
    wait(0);
    until("their connections are closed", || {
        (proxy.descriptors() <= proxy.idle).then_some(())
    });
}
