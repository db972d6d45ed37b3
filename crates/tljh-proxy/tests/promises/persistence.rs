use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::backend::Backend;
use crate::proxy::Proxy;

#[test]
fn routes_survive_kill_nine_from_the_moment_that_post_returned() {
    let mut proxy = Proxy::start();
    let hub = Backend::echo("hub");
    let mut expected = Vec::new();
    for number in 0..5 {
        let prefix = format!("/user/u{number}");
        proxy.add_route(&prefix, hub.port);
        expected.push(prefix);
        proxy.kill();
        proxy = proxy.start_again();
        let there: Vec<_> = proxy
            .routes()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(there, expected);
        assert_eq!(
            proxy.get(&format!("/user/u{number}/x")).header("x-backend"),
            Some("hub")
        );
    }
    assert_eq!(proxy.api("DELETE", "/api/routes/user/u0", "").status, 204);
    proxy.kill();
    proxy = proxy.start_again();
    assert_eq!(proxy.api("GET", "/api/routes/user/u0", "").status, 404);
    assert_eq!(proxy.routes().as_object().unwrap().len(), 4);
}

#[test]
fn all_of_a_route_survives_a_stop_its_activity_too() {
    let mut proxy = Proxy::start();
    let given =
        json!({"target": "http://127.0.0.1:9", "user": "a", "nested": {"x": [1]}}).to_string();
    assert_eq!(
        proxy.api("POST", "/api/routes/user/%C3%A9", &given).status,
        201
    );
    let before = proxy.routes();
    assert!(proxy.stop().success());
    let proxy = proxy.start_again();
    assert_eq!(proxy.routes(), before);
}

#[test]
fn odd_prefixes_are_the_same_after_a_crash() {
    let mut proxy = Proxy::start();
    for prefix in ["/", "///", "/a//", "/b/c", "/%C3%A9%00"] {
        proxy.add_route(prefix, 9);
    }
    let before = proxy.routes();
    assert_eq!(before.as_object().unwrap().len(), 5);
    proxy.kill();
    assert_eq!(proxy.start_again().routes(), before);
}

#[test]
fn the_routes_on_disk_are_private() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    let mode = std::fs::metadata(proxy.state("routes.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_set_aside_and_does_not_stop_the_start() {
    for text in [
        "",
        "{\"/user/a\": {\"target\": \"http://127.0.",
        "[]",
        "\u{0}\u{0}\u{0}",
    ] {
        let mut proxy = Proxy::start();
        proxy.add_route("/user/a", 9);
        proxy.kill();
        std::fs::write(proxy.state("routes.json"), text).unwrap();
        proxy = proxy.start_again();
        assert!(
            proxy.log().contains("set aside"),
            "{text:?}: {}",
            proxy.log()
        );
        assert_eq!(
            std::fs::read_to_string(proxy.state("routes.json.damaged")).unwrap(),
            text
        );
        assert_eq!(proxy.routes(), json!({}));
        proxy.add_route("/user/b", 9);
        proxy.kill();
        assert!(proxy.start_again().routes()["/user/b"].is_object());
    }
}

#[test]
fn one_bad_route_in_the_file_costs_no_other() {
    let mut proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    proxy.kill();
    let mut routes: serde_json::Value =
        serde_json::from_slice(&std::fs::read(proxy.state("routes.json")).unwrap()).unwrap();
    routes["/user/b"] = json!({"target": "gopher://x"});
    routes["/user/c"] = json!(7);
    std::fs::write(proxy.state("routes.json"), routes.to_string()).unwrap();
    proxy = proxy.start_again();
    let there: Vec<_> = proxy
        .routes()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(there, ["/user/a"]);
}

#[test]
fn a_route_that_cannot_be_written_is_refused_and_one_that_is_there_is_not() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    // A folder in the place of the new file cannot be opened for writing, whoever asks.
    std::fs::create_dir(proxy.state("routes.json.new")).unwrap();
    let body = json!({"target": "http://127.0.0.1:9"}).to_string();
    assert_eq!(proxy.api("POST", "/api/routes/user/b", &body).status, 500);
    assert_eq!(proxy.api("DELETE", "/api/routes/user/a", "").status, 500);
    assert_eq!(proxy.api("POST", "/api/routes/user/a", &body).status, 201);
    let there: Vec<_> = proxy
        .routes()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(there, ["/user/a"]);
    std::fs::remove_dir(proxy.state("routes.json.new")).unwrap();
    proxy.add_route("/user/b", 9);
}
