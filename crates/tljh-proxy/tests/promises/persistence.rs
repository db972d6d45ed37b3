use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
        assert_eq!(prefixes(&proxy), expected);
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
    assert_eq!(prefixes(&proxy), ["/user/a"]);
}

#[test]
fn a_route_that_cannot_be_written_is_refused_and_one_that_is_there_is_not() {
    let mut proxy = Proxy::start();
    proxy.add_route("/user/a", 9);
    // A folder in the place of a file cannot be opened for writing, whoever asks.
    let in_the_way = ["routes.json.new", "routes.journal"].map(|name| proxy.state(name));
    for path in &in_the_way {
        std::fs::create_dir(path).unwrap();
    }
    let body = json!({"target": "http://127.0.0.1:9"}).to_string();
    assert_eq!(proxy.api("POST", "/api/routes/user/b", &body).status, 500);
    assert_eq!(proxy.api("DELETE", "/api/routes/user/a", "").status, 500);
    assert_eq!(proxy.api("POST", "/api/routes/user/a", &body).status, 201);
    assert_eq!(prefixes(&proxy), ["/user/a"]);
    std::fs::remove_dir(&in_the_way[0]).unwrap();
    proxy.add_route("/user/b", 9);
    std::fs::remove_dir(&in_the_way[1]).unwrap();
    proxy.add_route("/user/c", 9);
    proxy.kill();
    assert_eq!(
        prefixes(&proxy.start_again()),
        ["/user/a", "/user/b", "/user/c"]
    );
}

#[test]
fn a_change_costs_a_line_and_all_routes_are_written_now_and_then() {
    let mut proxy = Proxy::start();
    let (all, changes) = (proxy.state("routes.json"), proxy.state("routes.journal"));
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut written = 0;
    proxy.add_route("/user/first", 9);
    let mut before = (size(&all), size(&changes));
    for number in 0..1000 {
        proxy.add_route(&format!("/user/u{number}"), 9);
        let now = (size(&all), size(&changes));
        if now.0 == before.0 {
            assert!((1..400).contains(&(now.1 - before.1)), "{before:?} {now:?}");
        } else {
            assert_eq!(now.1, 0);
            written += 1;
        }
        before = now;
    }
    assert!((1..4).contains(&written), "{written}");
    let there = proxy.routes();
    assert_eq!(there.as_object().unwrap().len(), 1001);
    proxy.kill();
    proxy = proxy.start_again();
    assert_eq!(proxy.routes(), there);
    assert_eq!(
        before,
        (size(&all), size(&changes)),
        "a start writes nothing"
    );
    // A clean end leaves one file.
    assert!(proxy.stop().success());
    assert!(!proxy.state("routes.journal").exists());
    assert_eq!(proxy.start_again().routes(), there);
}

#[test]
fn a_line_that_was_cut_off_was_never_acknowledged_and_nothing_is_built_upon_it() {
    let mut proxy = Proxy::start();
    for name in ["a", "b", "c"] {
        proxy.add_route(&format!("/user/{name}"), 9);
    }
    proxy.kill();
    let changes = std::fs::read(proxy.state("routes.journal")).unwrap();
    let whole = changes.len();
    for (left, expected) in [
        (
            changes.get(..whole - 1).unwrap().to_vec(),
            &["/user/a", "/user/b"][..],
        ),
        (
            [&changes[..], b"{\"/user/d\":{\"tar"].concat(),
            &["/user/a", "/user/b", "/user/c"],
        ),
        (
            [&changes[..], &[0; 600]].concat(),
            &["/user/a", "/user/b", "/user/c"],
        ),
    ] {
        let all = std::fs::read(proxy.state("routes.json")).unwrap();
        std::fs::write(proxy.state("routes.journal"), left).unwrap();
        proxy = proxy.start_again();
        assert_eq!(prefixes(&proxy), expected);
        proxy.add_route("/user/e", 9);
        proxy.add_route("/user/f", 9);
        proxy.kill();
        proxy = proxy.start_again();
        assert_eq!(
            prefixes(&proxy),
            [expected, &["/user/e", "/user/f"]].concat()
        );
        proxy.kill();
        std::fs::write(proxy.state("routes.json"), all).unwrap();
    }
}

#[test]
fn changes_that_all_routes_hold_already_are_not_made_again() {
    let mut proxy = Proxy::start();
    for port in [1, 2, 3] {
        proxy.add_route("/user/a", port);
    }
    let changes = std::fs::read(proxy.state("routes.journal")).unwrap();
    proxy.add_route("/user/a", 4);
    assert!(proxy.stop().success());
    // As a power cut between the two steps leaves it.
    std::fs::write(proxy.state("routes.journal"), changes).unwrap();
    proxy = proxy.start_again();
    assert_eq!(proxy.routes()["/user/a"]["target"], "http://127.0.0.1:4");
    assert!(!proxy.log().contains("left out"), "{}", proxy.log());
}

fn prefixes(proxy: &Proxy) -> Vec<String> {
    let routes = proxy.routes();
    routes.as_object().unwrap().keys().cloned().collect()
}
