use serde_json::json;

use crate::backend::Backend;
use crate::client::request;
use crate::proxy::{Proxy, free_port};

#[test]
fn a_route_that_begins_with_a_host_gets_the_requests_for_that_host() {
    let proxy = Proxy::start_set(json!({"host_routing": true}));
    let (hub, a) = (Backend::echo("hub"), Backend::echo("a"));
    proxy.add_hub_route("/hub.test/base", hub.port);
    proxy.add_route("/a.hub.test/base/user/a", a.port);
    for (host, target, backend) in [
        ("hub.test", "/base/hub/login", Some("hub")),
        ("HUB.test:8080", "/base/x", Some("hub")),
        ("hub.test", "/base/user/a", Some("hub")),
        ("a.hub.test", "/base/user/%61/lab", Some("a")),
        ("a.hub.test:81", "/base/user/ab", None),
        ("hub.test", "/", None),
        ("[::1]:80", "/base", None),
        ("other", "http://a.hub.test/base/user/a", Some("a")),
    ] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = request(proxy.port, sent.as_bytes());
        assert_eq!(answer.header("x-backend"), backend, "{host} {target}");
        assert_eq!(answer.status, if backend.is_some() { 200 } else { 404 });
    }
    assert_eq!(
        proxy.routes()["/a.hub.test/base/user/a"]["host"],
        "a.hub.test"
    );
}

#[test]
fn the_hubs_page_is_asked_for_behind_the_host() {
    let proxy = Proxy::start_set(json!({"host_routing": true}));
    let hub = Backend::echo("hub");
    proxy.add_hub_route("/hub.test/base/", hub.port);
    proxy.add_route("/a.hub.test/base/user/a", free_port());
    let answer = request(
        proxy.port,
        b"GET /base/user/a/lab HTTP/1.1\r\nHost: a.hub.test\r\n\r\n",
    );
    assert_eq!(answer.status, 503);
    let asked = "GET /base/hub/error/503?url=%2Fbase%2Fuser%2Fa%2Flab HTTP/1.1\n";
    assert!(answer.text().starts_with(asked), "{}", answer.text());
}
