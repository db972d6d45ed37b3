use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket, accept};

use crate::backend::{Backend, Stream};
use crate::client::Connection;
use crate::proxy::{DEADLINE, Proxy, until};

/// A server that sends every message back, and its close code too.
pub fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut socket = accept(stream.unwrap()).unwrap();
                while let Ok(message) = socket.read() {
                    if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

pub fn open(proxy: &Proxy, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let (socket, answer) = tungstenite::client(format!("ws://hub.test{path}"), stream).unwrap();
    assert_eq!(answer.status(), 101);
    socket
}

/// A message comes back from an echo server.
pub fn assert_echoes<S: Read + Write>(socket: &mut WebSocket<S>) {
    socket.send(Message::text("still here")).unwrap();
    let came = socket.read().unwrap();
    assert_eq!(came.into_text().unwrap().as_str(), "still here");
}

/// Messages of every size come back from an echo server as they were, and many of them in their order.
pub fn assert_messages_pass<S: Read + Write>(socket: &mut WebSocket<S>) {
    for size in [0, 1, 125, 126, 65_535, 65_536, 10 << 20] {
        let sent: Vec<u8> = (0..size).map(|number: u32| (number % 251) as u8).collect();
        socket.send(Message::binary(sent.clone())).unwrap();
        assert!(socket.read().unwrap().into_data() == sent, "{size} bytes");
    }
    for number in 0..1000 {
        socket.send(Message::text(number.to_string())).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(
            socket.read().unwrap().into_text().unwrap().as_str(),
            number.to_string()
        );
    }
}

/// The code that a socket to an echo server is closed with comes back from there.
pub fn assert_close_comes_back<S: Read + Write>(socket: &mut WebSocket<S>) {
    socket
        .close(Some(CloseFrame {
            code: CloseCode::Library(4001),
            reason: "done".into(),
        }))
        .unwrap();
    let Message::Close(Some(frame)) = socket.read().unwrap() else {
        panic!("no close frame came back")
    };
    assert_eq!(
        (frame.code, frame.reason.as_str()),
        (CloseCode::Library(4001), "done")
    );
}

#[test]
fn messages_of_every_size_pass_both_ways_unchanged() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", echo_server());
    let mut socket = open(&proxy, "/user/a/api/kernels/1/channels?session_id=x");
    assert_messages_pass(&mut socket);
}

#[test]
fn the_close_code_reaches_the_other_side() {
    let proxy = Proxy::start();
    proxy.add_route("/", echo_server());
    let mut socket = open(&proxy, "/ws");
    assert_close_comes_back(&mut socket);
}

#[test]
fn a_websocket_that_the_backend_refuses_gets_the_backends_answer() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let refused = tungstenite::client("ws://hub.test/ws", stream).unwrap_err();
    assert!(refused.to_string().contains("200"), "{refused}");
}

#[test]
fn messages_count_as_activity() {
    let proxy = Proxy::start();
    proxy.add_route("/", echo_server());
    let mut socket = open(&proxy, "/ws");
    let before = proxy.routes();
    until("the clock moves on", || {
        socket.send(Message::text("x")).unwrap();
        socket.read().unwrap();
        (proxy.routes() != before).then_some(())
    });
}

#[test]
fn connections_end_on_both_sides_when_one_side_vanishes() {
    let proxy = Proxy::start();
    let (port, ended) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, receive) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut socket = accept(listener.accept().unwrap().0).unwrap();
            while socket.read().is_ok() {}
            send.send(()).unwrap();
        });
        (port, receive)
    };
    proxy.add_route("/", port);
    let mut socket = open(&proxy, "/ws");
    socket.send(Message::text("x")).unwrap();
    drop(socket);
    ended.recv_timeout(DEADLINE).unwrap();
}

/// A change of protocol to one without frames, so that the tests below say when each byte is sent.
const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n";

fn echo_bytes(stream: &mut Stream) {
    let mut buffer = [0; 256];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if stream.get_mut().write_all(&buffer[..read]).is_err() {
            break;
        }
    }
}

fn read_exactly(client: &mut Connection, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    client.stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn no_connection_of_thousands_loses_the_first_frame_of_a_backend() {
    const THREADS: usize = 8;
    const CONNECTIONS: usize = 750;
    let proxy = Proxy::start();
    let together = Backend::start(|_, stream| {
        let sent = format!("{SWITCHING}first");
        stream.get_mut().write_all(sent.as_bytes()).unwrap();
        echo_bytes(stream);
        false
    });
    let after = Backend::start(|_, stream| {
        stream.get_mut().set_nodelay(true).unwrap();
        stream.get_mut().write_all(SWITCHING.as_bytes()).unwrap();
        stream.get_mut().write_all(b"first").unwrap();
        echo_bytes(stream);
        false
    });
    proxy.add_route("/0", together.port);
    proxy.add_route("/1", after.port);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let port = proxy.port;
            let request = UPGRADE.replace("/ws", &format!("/{}/ws", number % 2));
            scope.spawn(move || {
                for _ in 0..CONNECTIONS {
                    let mut client = Connection::open(port);
                    client.send(request.as_bytes());
                    assert_eq!(client.read_head().status, 101);
                    assert_eq!(read_exactly(&mut client, 5), b"first");
                    client.send(b"echo");
                    assert_eq!(read_exactly(&mut client, 4), b"echo");
                }
            });
        }
    });
}

#[test]
fn a_frame_that_comes_together_with_the_request_is_not_lost() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        stream.get_mut().write_all(SWITCHING.as_bytes()).unwrap();
        echo_bytes(stream);
        false
    });
    proxy.add_route("/", server.port);
    for _ in 0..200 {
        let mut client = Connection::open(proxy.port);
        client.send(format!("{UPGRADE}early").as_bytes());
        assert_eq!(client.read_head().status, 101);
        assert_eq!(read_exactly(&mut client, 5), b"early");
        client.send(b"later");
        assert_eq!(read_exactly(&mut client, 5), b"later");
    }
}

#[test]
fn a_side_that_has_ended_still_gets_what_the_other_sends() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        stream.get_mut().write_all(SWITCHING.as_bytes()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.get_mut().write_all(&all).unwrap();
        false
    });
    proxy.add_route("/", server.port);
    let sent: Vec<u8> = (0..1 << 20)
        .map(|number: u32| (number % 251) as u8)
        .collect();
    let mut client = Connection::open(proxy.port);
    client.send(UPGRADE.as_bytes());
    assert_eq!(client.read_head().status, 101);
    client.send(&sent);
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut came = Vec::new();
    client.stream.read_to_end(&mut came).unwrap();
    assert!(came == sent);
}

#[test]
fn a_connection_whose_upgrade_was_refused_serves_further_requests() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let mut client = Connection::open(proxy.port);
    for _ in 0..3 {
        client.send(UPGRADE.as_bytes());
        let refused = client.read_response();
        assert_eq!(refused.status, 200);
        assert!(refused.text().contains("upgrade: bytes"));
        client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(client.read_response().text().starts_with("GET /x "));
    }
}

#[test]
fn a_protocol_that_was_not_asked_for_is_not_changed_to() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        let sent = format!("{SWITCHING}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        stream.get_mut().write_all(sent.as_bytes()).unwrap();
        false
    });
    proxy.add_route("/", server.port);
    assert_eq!(proxy.get("/x").status, 503);
}
