use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::backend::Backend;
use crate::client::Connection;
use crate::proxy::{DEADLINE, Proxy, command, free_port, until};

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_busy_port_is_an_error_that_names_it_its_holder_and_the_next_step() {
    let folder = TempDir::new().unwrap();
    let held = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let output = command(&folder, port, free_port()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let holder = format!("(process {}) holds", std::process::id());
    for words in [
        format!("could not listen on `[::]:{port}`").as_str(),
        &holder,
        "hint: run `sudo ss -ltnp",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!folder.path().join("state").exists());
}

#[test]
fn settings_that_are_absent_or_bad_are_named_with_a_hint() {
    let folder = TempDir::new().unwrap();
    let mut bad = command(&folder, free_port(), free_port());
    std::fs::write(folder.path().join("proxy.json"), "{\"http_port\": 70000}").unwrap();
    let text = stderr(&bad.output().unwrap());
    assert!(
        text.contains("proxy.json` are not valid") && text.contains("hint:"),
        "{text}"
    );

    let mut empty = command(&folder, free_port(), free_port());
    std::fs::write(folder.path().join("token"), "\n").unwrap();
    let text = stderr(&empty.output().unwrap());
    assert!(text.contains("token` is empty"), "{text}");

    let bare = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .arg("run")
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(bare.status.code(), Some(1));
    let text = stderr(&bare);
    assert!(
        text.contains("neither `--settings` nor systemd") && text.contains("systemctl start"),
        "{text}"
    );
}

#[test]
fn systemd_is_told_when_both_ports_are_open() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("notify");
    let notify = UnixDatagram::bind(&socket).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let (port, api_port) = (free_port(), free_port());
    let child = command(&folder, port, api_port)
        .env("NOTIFY_SOCKET", &socket)
        .stderr(Stdio::null())
        .spawn();
    let _running = Running(child.unwrap());
    let mut message = [0; 64];
    let length = notify.recv(&mut message).unwrap();
    let said = String::from_utf8_lossy(&message[..length]);
    assert!(said.lines().any(|line| line == "READY=1"), "{said}");
    for port in [port, api_port] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}

/// Stops the proxy while a request of `client` is under way; `port` is where it came in.
pub fn assert_finished_before_the_stop<S: Read + Write>(
    mut proxy: Proxy,
    port: u16,
    mut client: Connection<S>,
) {
    let (server, held) = Backend::held();
    proxy.add_route("/", server.port);
    client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    held.wait();
    let stopped = std::thread::spawn(move || proxy.stop());
    until("new connections are refused", || {
        TcpStream::connect(("127.0.0.1", port)).err()
    });
    held.go_on();
    assert_eq!(client.read_response().text(), "finished");
    assert!(stopped.join().unwrap().success());
}

#[test]
fn a_request_under_way_is_finished_before_the_proxy_stops() {
    let proxy = Proxy::start();
    let (port, client) = (proxy.port, Connection::open(proxy.port));
    assert_finished_before_the_stop(proxy, port, client);
}

#[test]
fn the_version_is_the_packages() {
    let output = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .arg("--version")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("tljh-proxy {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_manual_page_and_completions_are_rendered() {
    let folder = TempDir::new().unwrap();
    let rendered = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
        .arg("render-docs")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(rendered.success());
    assert!(
        std::fs::read_to_string(folder.path().join("man/tljh-proxy.8"))
            .unwrap()
            .contains("Exit codes")
    );
}
