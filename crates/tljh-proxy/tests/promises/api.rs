use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::request;
use crate::generated::calls::{Api, Table};
use crate::nginx::runner;
use crate::proxy::{DEADLINE, Proxy, TOKEN};

fn body(target: &str) -> String {
    json!({ "target": target }).to_string()
}

#[test]
fn every_call_answers_as_configurable_http_proxy_documents_it() {
    let proxy = Proxy::start();
    let good = body("http://127.0.0.1:9");
    for (method, path, sent, status) in [
        ("GET", "/api/routes", "", 200),
        ("GET", "/api/routes/", "", 200),
        ("GET", "/api/routes/user/a", "", 404),
        ("DELETE", "/api/routes/user/a", "", 404),
        ("POST", "/api/routes/user/a", &good, 201),
        ("POST", "/api/routes/user/a/", &good, 201),
        ("GET", "/api/routes/user/a", "", 200),
        ("GET", "/api/routes/user/a/", "", 200),
        ("GET", "/api/routes/user", "", 404),
        ("GET", "/api/routes/user/ab", "", 404),
        ("DELETE", "/api/routes/user", "", 404),
        ("DELETE", "/api/routes/user/a", "", 204),
        ("DELETE", "/api/routes/user/a", "", 404),
        ("POST", "/api/routes", &good, 201),
        ("DELETE", "/api/routes/", "", 204),
        ("POST", "/api/routes/x", "{not json", 400),
        ("POST", "/api/routes/x", "", 400),
        ("POST", "/api/routes/x", "null", 400),
        ("POST", "/api/routes/x", "[]", 400),
        ("POST", "/api/routes/x", "{\"target\": 7}", 400),
        (
            "POST",
            "/api/routes/x",
            "{\"target\": \"gopher://127.0.0.1:1\"}",
            400,
        ),
        (
            "POST",
            "/api/routes/x",
            "{\"target\": \"http://127.0.0.1:99999\"}",
            400,
        ),
        ("POST", "/api/routes/%FF", &good, 400),
        ("PUT", "/api/routes/x", &good, 405),
        ("GET", "/api/routesx", "", 404),
        ("GET", "/api", "", 404),
        ("GET", "/", "", 404),
        ("GET", "/api/routes?inactiveSince=yesterday", "", 400),
    ] {
        assert_eq!(
            proxy.api(method, path, sent).status,
            status,
            "{method} {path} {sent}"
        );
    }
    assert_eq!(proxy.routes(), json!({}));
}

#[test]
fn nothing_is_shown_or_changed_without_the_token() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    for authorization in [
        "",
        "Authorization: token\r\n",
        "Authorization: token wrong\r\n",
        "Authorization: Bearer correct-horse\r\n",
        "Authorization: token correct-hors\r\n",
        "Authorization: token correct-horse-battery\r\n",
    ] {
        for call in [
            "GET /api/routes",
            "GET /api/routes/user/a",
            "POST /api/routes/user/a",
            "DELETE /api/routes/user/a",
        ] {
            let sent = format!(
                "{call} HTTP/1.1\r\nHost: api\r\n{authorization}Content-Length: 2\r\n\r\n{{}}"
            );
            assert_eq!(
                request(proxy.api_port, sent.as_bytes()).status,
                403,
                "{call} {authorization}"
            );
        }
    }
    assert!(proxy.routes()["/user/a"].is_object());
    assert!(!proxy.log().contains(TOKEN));
}

#[test]
fn a_route_is_shown_as_it_was_given_with_its_last_activity() {
    let proxy = Proxy::start();
    let given = json!({"user": "a", "server_name": "", "nested": {"list": [1, null]}, "target": "http://127.0.0.1:9",
        "jupyterhub": true, "last_activity": "not ours"});
    assert_eq!(
        proxy
            .api("POST", "/api/routes/user/a%40b%20c", &given.to_string())
            .status,
        201
    );
    let all = proxy.routes();
    let mut shown = all["/user/a@b c"].clone();
    let one: Value =
        serde_json::from_slice(&proxy.api("GET", "/api/routes/user/a%40b%20c", "").body).unwrap();
    assert_eq!(one, shown);
    let activity = shown["last_activity"].as_str().unwrap().to_string();
    let form: String = activity
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z");
    shown["last_activity"] = given["last_activity"].clone();
    assert_eq!(shown, given);
}

#[test]
fn only_routes_unused_since_a_time_are_listed_when_asked() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    for name in ["inactiveSince", "inactive_since"] {
        let listed = |date: &str| -> Value {
            let response = proxy.api("GET", &format!("/api/routes?{name}={date}"), "");
            assert_eq!(response.status, 200);
            serde_json::from_slice(&response.body).unwrap()
        };
        assert_eq!(listed("2000-01-01T00:00:00Z"), json!({}));
        assert_eq!(listed("2000-01-01T00%3A00%3A00.000%2B00:00"), json!({}));
        assert!(listed("2999-01-01T00:00:00Z")["/user/a"].is_object());
    }
}

#[test]
fn use_of_a_server_counts_as_activity_and_refusals_do_not() {
    let proxy = Proxy::start();
    let busy = Backend::echo("busy");
    let refusing = Backend::start(|_, stream| {
        use std::io::Write as _;
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
            .is_ok()
    });
    proxy.add_route("/busy", busy.port);
    proxy.add_route("/refusing", refusing.port);
    let before = proxy.routes();
    crate::proxy::until("the clock moves on", || {
        assert_eq!(proxy.get("/busy/x").status, 200);
        assert_eq!(proxy.get("/refusing/x").status, 302);
        (proxy.routes()["/busy"]["last_activity"] != before["/busy"]["last_activity"]).then_some(())
    });
    assert_eq!(proxy.routes()["/refusing"], before["/refusing"]);
}

#[test]
fn odd_names_are_routes_like_any_other() {
    let proxy = Proxy::start();
    let names = [
        "constructor",
        "__proto__",
        "hasOwnProperty",
        "toString",
        "%E2%82%AC%20x",
        "a%2541",
        "..",
        "a+b",
        "A",
    ];
    let hub = Backend::echo("hub");
    proxy.add_route("/", hub.port);
    for name in names {
        assert_eq!(
            proxy.get(&format!("/user/{name}/x")).header("x-backend"),
            Some("hub"),
            "{name}"
        );
    }
    let server = Backend::echo("server");
    for name in names {
        proxy.add_route(&format!("/user/{name}"), server.port);
    }
    for name in names {
        assert_eq!(
            proxy.get(&format!("/user/{name}/x")).header("x-backend"),
            Some("server"),
            "{name}"
        );
        assert_eq!(
            proxy.get(&format!("/user/{name}x/x")).header("x-backend"),
            Some("hub"),
            "{name}x"
        );
    }
    for name in names {
        assert_eq!(
            proxy
                .api("DELETE", &format!("/api/routes/user/{name}"), "")
                .status,
            204,
            "{name}"
        );
        assert_eq!(
            proxy.get(&format!("/user/{name}/x")).header("x-backend"),
            Some("hub"),
            "{name}"
        );
    }
    let left: Vec<_> = proxy
        .routes()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(left, ["/"]);
}

#[test]
fn fifty_routes_added_at_once_are_all_there() {
    let proxy = Proxy::start();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let proxy = &proxy;
            scope.spawn(move || proxy.add_route(&format!("/user/u{number}"), 9));
        }
    });
    assert_eq!(proxy.routes().as_object().unwrap().len(), 50);
}

#[test]
fn whatever_the_calls_are_the_table_is_what_was_told_in_memory_on_disk_and_after_a_crash() {
    let mut proxy = Proxy::start();
    for round in 0..15 {
        let last = RefCell::new(Table::new());
        let call = |choices: Vec<u8>| {
            let table = over(&proxy, |api| api.call_chosen(&choices));
            *last.borrow_mut() = table.map_err(TestCaseError::fail)?;
            Ok(())
        };
        let mut runner = runner(20, round);
        runner.run(&vec(any::<u8>(), 0..60), call).unwrap();
        proxy.kill();
        assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
        proxy = proxy.start_again();
        over(&proxy, |api| api.check(&last.into_inner())).unwrap();
    }
}

/// Does something over the API.
fn over<T>(proxy: &Proxy, what: impl FnOnce(&Api<'_>) -> T) -> T {
    what(&Api {
        port: proxy.api_port,
        token: TOKEN,
        file: &proxy.state("routes.json"),
        patience: DEADLINE,
    })
}
