use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use tungstenite::WebSocket;

use crate::proxy::{Proxy, until};
use crate::websocket::{assert_echoes, echo_server, open};

const CLIENTS: usize = 8;
const OPEN_AT_ONCE: usize = 25;

/// Opens `count` WebSockets, uses each, and ends half of them without a word: a quarter is reset, a quarter dropped.
fn wear(proxy: &Proxy, count: usize) {
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..count / CLIENTS / OPEN_AT_ONCE {
                    let sockets: Vec<_> = (0..OPEN_AT_ONCE).map(|_| open(proxy, "/ws")).collect();
                    for (number, mut socket) in sockets.into_iter().enumerate() {
                        assert_echoes(&mut socket);
                        end(socket, number % 4);
                    }
                }
            });
        }
    });
    until("every socket of the proxy is closed", || {
        (proxy.descriptors() == proxy.idle).then_some(())
    });
}

fn end(mut socket: WebSocket<TcpStream>, how: usize) {
    match how {
        0 => {
            let socket = SockRef::from(socket.get_ref());
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        1 => {}
        _ => {
            socket.close(None).unwrap();
            while socket.read().is_ok() {}
        }
    }
}

#[test]
fn five_thousand_websockets_leave_neither_descriptors_nor_memory_behind() {
    let proxy = Proxy::start();
    proxy.add_route("/", echo_server());
    // The first ones fill what is kept for those to come: buffers, the allocator's pools.
    wear(&proxy, 2000);
    let mut before = proxy.memory("RssAnon");
    let mut grow = || {
        wear(&proxy, 5000);
        let now = proxy.memory("RssAnon");
        let grown = now.saturating_sub(before);
        println!("{before} KiB of memory, and {grown} KiB more after 5000 WebSockets");
        before = now;
        grown
    };
    // Less than 150 bytes for each: the least that is made for a connection, its `Client`, takes more. The pools may grow
    // once more when more threads than before happen to work at once; what is left behind is so each time.
    assert!((0..3).any(|_| grow() < 730));
}
