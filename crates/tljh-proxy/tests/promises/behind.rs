//! Behind another proxy: who is believed, and the socket of the file system.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use crate::backend::Backend;
use crate::client::{Connection, Response, request};
use crate::proxy::{DEADLINE, Proxy, free_port, until};
use crate::secure::Secure;
use crate::websocket::echo_server;

/// What another proxy says that a client at 192.0.2.7 has asked for by HTTPS, which has invented an address before.
const SAID: &str = "GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n\
    X-Forwarded-Proto: https\r\nX-Forwarded-Host: hub.test:8443\r\nX-Forwarded-Port: 8443\r\n\r\n";
const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

/// A socket's file in a folder of its own.
struct File {
    path: PathBuf,
    _folder: TempDir,
}

impl File {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("http.sock");
        Self {
            path,
            _folder: folder,
        }
    }

    fn settings(&self) -> Value {
        json!({"http_socket": {"path": self.path, "group": ""}})
    }

    fn connect(&self) -> UnixStream {
        connect(&self.path).unwrap()
    }

    fn request(&self, bytes: &[u8]) -> Response {
        let mut connection = Connection::over(self.connect());
        connection.send(bytes);
        connection.read_response()
    }

    fn open(&self, path: &str) -> WebSocket<UnixStream> {
        let (socket, answer) =
            tungstenite::client(format!("ws://hub.test{path}"), self.connect()).unwrap();
        assert_eq!(answer.status(), 101);
        socket
    }
}

fn connect(path: &Path) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// What a server is told of where a request comes from.
fn told(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let lines = text.lines().filter(|line| {
        ["x-", "forwarded"]
            .iter()
            .any(|begin| line.starts_with(begin))
    });
    let mut lines: Vec<String> = lines.map(str::to_string).collect();
    lines.sort_unstable();
    lines
}

const BELIEVED: [&str; 5] = [
    "x-forwarded-for: 192.0.2.7,127.0.0.1",
    "x-forwarded-host: hub.test:8443",
    "x-forwarded-port: 8443",
    "x-forwarded-proto: https",
    "x-real-ip: 192.0.2.7",
];

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    for (trusted, expected) in [
        (json!(["127.0.0.1"]), BELIEVED.to_vec()),
        (json!(["192.0.2.1", "127.0.0.0/8"]), BELIEVED.to_vec()),
        (
            json!(["10.0.0.0/8", "::1"]),
            vec![
                "x-forwarded-for: 127.0.0.1",
                "x-forwarded-host: h",
                "x-forwarded-port: 80",
                "x-forwarded-proto: http",
            ],
        ),
    ] {
        let proxy = Proxy::start_set(json!({"trusted_proxies": trusted}));
        proxy.add_route("/", Backend::echo("hub").port);
        let answer = request(proxy.port, SAID.as_bytes());
        assert_eq!(told(&answer), expected, "{trusted}");
    }
}

#[test]
fn the_log_names_the_client_and_not_the_proxy_before_it() {
    let proxy = Proxy::start_set(json!({"trusted_proxies": ["127.0.0.1"]}));
    proxy.add_route("/", free_port());
    assert_eq!(request(proxy.port, SAID.as_bytes()).status, 503);
    until("the failure is logged", || {
        let line = "GET /x from 192.0.2.7: backend";
        proxy.log().contains(line).then_some(())
    });
    assert!(!proxy.log().contains("6.6.6.6"));
}

#[test]
fn who_came_to_a_trusted_proxy_by_https_is_not_sent_there_again() {
    let ask = |secure: &Secure, scheme: &str| {
        let text = format!("GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: {scheme}\r\n\r\n");
        request(secure.proxy.port, text.as_bytes()).status
    };
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    assert_eq!((ask(&secure, "http"), ask(&secure, "https")), (301, 301));
    secure.proxy.set(json!({"trusted_proxies": ["127.0.0.1"]}));
    assert!(secure.proxy.listen().status.success());
    secure.proxy.reload();
    assert_eq!((ask(&secure, "http"), ask(&secure, "https")), (301, 200));
}

#[test]
fn the_socket_s_file_serves_all_that_the_port_serves_and_who_may_open_it_is_believed() {
    let file = File::new();
    let proxy = Proxy::start_set(file.settings());
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", echo_server());
    let found = std::fs::symlink_metadata(&file.path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);

    assert_eq!(told(&file.request(SAID.as_bytes())), BELIEVED);
    let plain = told(&file.request(GET));
    assert_eq!(plain[0], "x-forwarded-for: 127.0.0.1");
    assert_eq!(told(&request(proxy.port, SAID.as_bytes())).len(), 4);

    let body = "x".repeat(1 << 20);
    let head = format!(
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(file.request((head + &body).as_bytes()).status, 200);

    let mut kernel = file.open("/user/a/channels");
    for size in [1, 65_536, 10 << 20] {
        kernel.send(Message::binary(vec![7; size])).unwrap();
        assert_eq!(kernel.read().unwrap().into_data().len(), size);
    }
}

#[test]
fn an_answer_comes_through_the_socket_s_file_as_it_is_written() {
    let file = File::new();
    let proxy = Proxy::start_set(file.settings());
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Backend::start(move |_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst ";
        stream.get_mut().write_all(head).unwrap();
        wait.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        stream.get_mut().write_all(b"later").is_ok()
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::over(file.connect());
    client.send(GET);
    assert_eq!(client.read_head().status, 200);
    let mut first = [0; 6];
    client.stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first ");
    go.send(()).unwrap();
    let mut later = [0; 5];
    client.stream.read_exact(&mut later).unwrap();
    assert_eq!(&later, b"later");
}

#[test]
fn no_connection_to_the_socket_s_file_is_refused_while_processes_take_over() {
    let file = File::new();
    let proxy = Proxy::start_set(file.settings());
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.add_route("/user/a", echo_server());
    let mut kernel = file.open("/user/a/channels");
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(file.request(GET).status, 200);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..5 {
            let before = answered.load(Ordering::SeqCst);
            assert!(proxy.listen().status.success());
            proxy.reload();
            until("requests are answered", || {
                (answered.load(Ordering::SeqCst) > before + 20).then_some(())
            });
        }
        over.store(true, Ordering::SeqCst);
    });
    kernel.send(Message::text("still here")).unwrap();
    assert_eq!(
        kernel.read().unwrap().into_text().unwrap().as_str(),
        "still here"
    );
}

#[test]
fn the_socket_s_file_comes_with_one_reload_and_is_closed_with_another() {
    let file = File::new();
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    proxy.set(file.settings());
    assert!(proxy.listen().status.success());
    proxy.reload();
    assert_eq!(file.request(GET).status, 200);
    // Taken away by hand, it comes back; as it does where it was before.
    for _ in 0..2 {
        std::fs::remove_file(&file.path).unwrap();
        assert!(proxy.listen().status.success());
        proxy.reload();
        assert_eq!(file.request(GET).status, 200);
    }
    proxy.set(json!({"http_socket": null}));
    assert!(proxy.listen().status.success());
    proxy.reload();
    connect(&file.path).unwrap_err();
    assert_eq!(request(proxy.port, GET).status, 200);
    proxy.set(file.settings());
    assert!(proxy.listen().status.success());
    proxy.reload();
    assert_eq!(file.request(GET).status, 200);
}

#[test]
fn a_socket_s_file_that_a_killed_process_has_left_is_replaced() {
    let file = File::new();
    let mut proxy = Proxy::start_set(file.settings());
    proxy.kill();
    connect(&file.path).unwrap_err();
    let again = Proxy::start_set(file.settings());
    again.add_route("/", Backend::echo("hub").port);
    assert_eq!(file.request(GET).status, 200);
}

#[test]
fn what_is_no_socket_is_left_alone_and_named_with_a_command() {
    let file = File::new();
    std::fs::write(&file.path, "precious").unwrap();
    let proxy = Proxy::start();
    proxy.set(file.settings());
    let output = proxy.listen();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    let path = file.path.display().to_string();
    assert!(
        text.contains(&format!("could not open the socket `{path}`")),
        "{text}"
    );
    assert!(text.contains("hint: ") && text.contains("exists"), "{text}");
    assert_eq!(std::fs::read(&file.path).unwrap(), b"precious");
}
