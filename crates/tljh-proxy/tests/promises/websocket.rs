use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket, accept};

use crate::backend::Backend;
use crate::proxy::{DEADLINE, Proxy, until};

/// A server that sends every message back, and its close code too.
fn echo_server() -> u16 {
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

fn open(proxy: &Proxy, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let (socket, answer) = tungstenite::client(format!("ws://hub.test{path}"), stream).unwrap();
    assert_eq!(answer.status(), 101);
    socket
}

#[test]
fn messages_of_every_size_pass_both_ways_unchanged() {
    let proxy = Proxy::start();
    proxy.add_route("/user/a", echo_server());
    let mut socket = open(&proxy, "/user/a/api/kernels/1/channels?session_id=x");
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

#[test]
fn the_close_code_reaches_the_other_side() {
    let proxy = Proxy::start();
    proxy.add_route("/", echo_server());
    let mut socket = open(&proxy, "/ws");
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
