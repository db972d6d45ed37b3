use std::collections::BTreeMap;
use std::io::{IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;
use tungstenite::{Message, WebSocket};

use crate::backend::Backend;
use crate::client::{Connection, request};
use crate::proxy::{DEADLINE, Proxy, TOKEN, free_port, until};
use crate::websocket::{assert_echoes, echo_server, open};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn what_is_open_stays_open_and_the_old_process_ends_with_its_last_connection() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", echo_server());
    let mut kernel = open(&proxy, "/user/a/channels");
    let mut idle = Connection::open(proxy.port);
    idle.send(GET);
    assert_eq!(idle.read_response().status, 200);

    let new = proxy.reload();
    assert_eq!(proxy.get("/x").status, 200);
    assert_echoes(&mut kernel);
    until("an answer is said to be the connection's last", || {
        idle.send(GET);
        let answer = idle.read_response();
        assert_eq!(answer.status, 200);
        (answer.header("connection") == Some("close")).then_some(())
    });
    assert_eq!(idle.stream.read(&mut [0]).unwrap(), 0);

    assert!(proxy.processes().contains(&proxy.first()));
    kernel.close(None).unwrap();
    while kernel.read().is_ok() {}
    drop(kernel);
    until("the old process has ended", || {
        proxy
            .log()
            .contains("the last connection has ended")
            .then_some(())
    });
    until("one process is left", || {
        let left: Vec<_> = proxy.processes();
        // Its parent, this test, has not asked how it ended.
        left.iter()
            .all(|process| *process == new || *process == proxy.first())
            .then_some(())
    });
    assert_eq!(proxy.get("/x").status, 200);
}

#[test]
fn a_request_under_way_is_answered_by_the_process_that_took_it() {
    let proxy = Proxy::start();
    let (server, held) = Backend::held();
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(GET);
    held.wait();
    proxy.reload();
    held.go_on();
    assert_eq!(client.read_response().text(), "finished");
}

#[test]
fn no_request_fails_and_no_route_is_lost_while_one_process_after_the_other_takes_over() {
    let proxy = Arc::new(Proxy::start());
    proxy.add_route("/", Backend::echo("hub").port);
    let (over, failed, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut clients = Vec::new();
    for number in 0..4 {
        let (port, over, failed, answered) =
            (proxy.port, over.clone(), failed.clone(), answered.clone());
        clients.push(thread::spawn(move || {
            let mut kept = Connection::open(port);
            while !over.load(Ordering::SeqCst) {
                let answer = if number % 2 == 0 {
                    request(port, GET)
                } else {
                    kept.send(GET);
                    let answer = kept.read_response();
                    if answer.header("connection") == Some("close") {
                        kept = Connection::open(port);
                    }
                    answer
                };
                let counter = if answer.status == 200 {
                    &answered
                } else {
                    &failed
                };
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    let hub = {
        let (proxy, over) = (proxy.clone(), over.clone());
        thread::spawn(move || {
            let mut added = Vec::new();
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let prefix = format!("/user/{}", number % 50);
                let body = json!({"target": "http://127.0.0.1:9", "number": number}).to_string();
                let answer = proxy.api("POST", &format!("/api/routes{prefix}"), &body);
                // The hub asks again where it is told to.
                assert!(matches!(answer.status, 201 | 503), "{answer:?}");
                if answer.status == 201 {
                    added.push((prefix, number));
                }
            }
            added
        })
    };
    for _ in 0..8 {
        let before = answered.load(Ordering::SeqCst);
        proxy.reload();
        until("requests are answered", || {
            (answered.load(Ordering::SeqCst) > before + 20).then_some(())
        });
    }
    over.store(true, Ordering::SeqCst);
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    assert_eq!(failed.load(Ordering::SeqCst), 0);
    // Of each prefix what was added last; the answer to others in between was to ask again.
    let added: BTreeMap<String, i32> = hub.join().unwrap().into_iter().collect();
    let routes = proxy.routes();
    for (prefix, number) in added {
        assert_eq!(routes[&prefix]["number"], number, "{prefix}");
    }
}

#[test]
fn a_connection_of_the_old_process_sees_the_routes_of_the_new_one() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let mut kept = Connection::open(proxy.port);
    kept.send(GET);
    assert_eq!(kept.read_response().header("x-backend"), Some("hub"));
    proxy.reload();
    proxy.add_route("/x", Backend::echo("newer").port);
    kept.send(GET);
    assert_eq!(kept.read_response().header("x-backend"), Some("newer"));
}

#[test]
fn a_hub_that_keeps_its_connection_to_the_api_is_sent_to_the_new_process() {
    let proxy = Proxy::start();
    let list =
        format!("GET /api/routes HTTP/1.1\r\nHost: h\r\nAuthorization: token {TOKEN}\r\n\r\n");
    let mut kept = Connection::open(proxy.api_port);
    kept.send(list.as_bytes());
    assert_eq!(kept.read_response().status, 200);
    proxy.reload();
    kept.send(list.as_bytes());
    let last = kept.read_response();
    assert_eq!(
        (last.status, last.header("connection")),
        (503, Some("close"))
    );
    assert_eq!(kept.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(proxy.routes(), json!({}));
}

#[test]
fn what_connections_of_replaced_processes_use_is_no_idle_server_to_the_hub() {
    let proxy = Proxy::start();
    for user in ["a", "b", "gone"] {
        proxy.add_route(&format!("/user/{user}"), echo_server());
    }
    let last = |user: &str| {
        let text = proxy.routes()[format!("/user/{user}")]["last_activity"].to_string();
        assert!(text.contains('T'), "{text}");
        text
    };
    let say = |kernel: &mut WebSocket<TcpStream>| {
        kernel.send(Message::text("x")).unwrap();
        kernel.read().unwrap();
    };
    let mut of_first = open(&proxy, "/user/a/channels");
    let mut of_gone = open(&proxy, "/user/gone/channels");
    let second = proxy.reload();
    let mut of_second = open(&proxy, "/user/b/channels");
    let third = proxy.reload();
    let serving = proxy.processes();
    assert!(
        [proxy.first(), second, third]
            .iter()
            .all(|process| serving.contains(process))
    );
    assert_eq!(proxy.api("DELETE", "/api/routes/user/gone", "").status, 204);

    for _ in 0..2 {
        let before = (last("a"), last("b"));
        for kernel in [&mut of_first, &mut of_second, &mut of_gone] {
            say(kernel);
        }
        until("the serving process has heard of it", || {
            (last("a") > before.0 && last("b") > before.1).then_some(())
        });
    }
    assert_eq!(proxy.routes().as_object().unwrap().len(), 2);

    // Its last words come with its end.
    let before = last("b");
    say(&mut of_second);
    of_second.close(None).unwrap();
    while of_second.read().is_ok() {}
    drop(of_second);
    until("the second process has ended", || {
        proxy
            .log()
            .contains("the last connection has ended")
            .then_some(())
    });
    assert!(last("b") > before);
    assert_eq!(proxy.api("GET", "/api/routes/user/gone", "").status, 404);
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = proxy.folder.path().join("bad.json");
    let text = json!({"http_address": "127.0.0.1", "http_port": busy.local_addr().unwrap().port()});
    std::fs::write(&settings, text.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .args(["run", "--take-over", "--settings"])
        .arg(&settings)
        .arg("--token-file")
        .arg(proxy.folder.path().join("token"))
        .arg("--state-dir")
        .arg(proxy.state(""))
        .arg("--runtime-dir")
        .arg(proxy.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    until("the running process goes on", || {
        proxy.log().contains("no process took over").then_some(())
    });
    proxy.add_route("/x", Backend::echo("newer").port);
    assert_eq!(proxy.get("/x").header("x-backend"), Some("newer"));
    proxy.reload();
    assert_eq!(proxy.get("/x").header("x-backend"), Some("newer"));
}

#[test]
fn a_process_that_stops_for_good_is_replaced_after_a_deadline_at_most() {
    let proxy = Proxy::start();
    let stop = |signal: &str| {
        let process = proxy.first().to_string();
        let sent = Command::new("kill").args([signal, &process]).status();
        assert!(sent.unwrap().success());
    };
    stop("-STOP");
    let mut reload = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .arg("reload")
        .arg("--state-dir")
        .arg(proxy.state(""))
        .arg("--runtime-dir")
        .arg(proxy.folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ended = until("the reload gives up", || reload.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1));
    stop("-CONT");
    proxy.reload();
}

#[test]
fn another_port_or_address_is_taken_and_connections_to_the_one_before_stay() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", echo_server());
    let mut kernel = open(&proxy, "/user/a/channels");

    let port = free_port();
    proxy.set(json!({"http_port": port}));
    assert!(proxy.listen().status.success());
    proxy.reload();
    assert_eq!(request(port, GET).status, 200);
    TcpStream::connect(("127.0.0.1", proxy.port)).unwrap_err();
    assert_echoes(&mut kernel);

    proxy.set(json!({"http_address": "127.0.0.1"}));
    assert!(proxy.listen().status.success());
    proxy.reload();
    assert_eq!(request(port, GET).status, 200);
    TcpStream::connect(("::1", port)).unwrap_err();
    assert_echoes(&mut kernel);
}

#[test]
fn a_busy_port_is_refused_by_root_s_part_and_the_running_process_goes_on() {
    let proxy = Proxy::start();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    proxy.set(json!({"http_address": "127.0.0.1", "http_port": port}));
    let output = proxy.listen();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains(&format!("(process {})", std::process::id())),
        "{text}"
    );
    proxy.reload();
    assert_eq!(proxy.get("/x").status, 503);
}

#[test]
fn systemd_gets_the_sockets_and_the_settings_to_keep() {
    let folder = tempfile::TempDir::new().unwrap();
    let (port, api_port) = (free_port(), free_port());
    crate::proxy::command(&folder, port, api_port);
    let socket = folder.path().join("notify");
    let notify = UnixDatagram::bind(&socket).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let listen = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .env_clear()
        .env("NOTIFY_SOCKET", &socket)
        .arg("listen")
        .arg("--settings")
        .arg(folder.path().join("proxy.json"))
        .arg("--token-file")
        .arg(folder.path().join("token"))
        .status();
    assert!(listen.unwrap().success());
    let mut said = Vec::new();
    for _ in 0..8 {
        let mut text = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut text)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(&notify, &mut parts, &mut ancillary, flags).unwrap();
        let rights = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights.count()),
            _ => None,
        });
        let rights: usize = rights.sum();
        let words = String::from_utf8_lossy(&text[..got.bytes]);
        assert!(!words.contains(TOKEN));
        said.push((words.lines().collect::<Vec<_>>().join(" "), rights));
    }
    let expected = [
        ("FDSTOREREMOVE=1 FDNAME=http", 0),
        ("FDSTOREREMOVE=1 FDNAME=https", 0),
        ("FDSTOREREMOVE=1 FDNAME=socket", 0),
        ("FDSTOREREMOVE=1 FDNAME=api", 0),
        ("FDSTOREREMOVE=1 FDNAME=settings", 0),
        ("FDSTORE=1 FDNAME=http", 1),
        ("FDSTORE=1 FDNAME=api", 1),
        ("FDSTORE=1 FDNAME=settings", 1),
    ];
    assert_eq!(
        said,
        expected.map(|(words, rights)| (words.to_string(), rights))
    );
}

#[test]
fn a_reload_without_a_running_proxy_says_how_to_start_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .arg("reload")
        .arg("--state-dir")
        .arg(folder.path())
        .arg("--runtime-dir")
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("no proxy runs") && text.contains("systemctl start tljh-proxy"),
        "{text}"
    );
}
