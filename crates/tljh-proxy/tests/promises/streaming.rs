use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::backend::{Backend, reply};
use crate::client::Connection;
use crate::proxy::{DEADLINE, Proxy};

const MIB: usize = 1 << 20;

#[test]
fn each_server_sent_event_arrives_before_the_next_is_made() {
    let proxy = Proxy::start();
    let (seen, next) = channel::<()>();
    let next = Mutex::new(next);
    let server = Backend::start(move |_, stream| {
        let out = stream.get_mut();
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..10 {
            out.write_all(b"9\r\ndata: x\n\n\r\n").unwrap();
            next.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        }
        out.write_all(b"0\r\n\r\n").is_ok()
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    for _ in 0..10 {
        assert_eq!(client.read_chunk().unwrap(), b"data: x\n\n");
        seen.send(()).unwrap();
    }
    assert_eq!(client.read_chunk(), None);
}

#[test]
fn each_chunk_of_an_upload_arrives_before_the_next_is_sent() {
    let proxy = Proxy::start();
    let (arrived, seen) = channel::<Vec<u8>>();
    let arrived = Mutex::new(arrived);
    let server = Backend::start(move |request, stream| {
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        loop {
            let mut chunk = [0; 8];
            stream.read_exact(&mut chunk).unwrap();
            arrived.lock().unwrap().send(chunk.to_vec()).unwrap();
            if &chunk == b"3\r\nend\r\n" {
                let mut rest = [0; 5];
                stream.read_exact(&mut rest).unwrap();
                assert_eq!(&rest, b"0\r\n\r\n");
                return reply(stream, "", "thanks");
            }
        }
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"3\r\nend\r\n"] {
        client.send(chunk);
        assert_eq!(seen.recv_timeout(DEADLINE).unwrap(), chunk);
    }
    client.send(b"0\r\n\r\n");
    assert_eq!(client.read_response().text(), "thanks");
}

#[test]
fn bodies_of_any_size_pass_both_ways_in_little_memory() {
    const SIZE: usize = 300 * MIB;
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        let mut block = vec![7; MIB];
        if request.line.starts_with("PUT") {
            let mut sum = 0;
            for _ in 0..SIZE / MIB {
                stream.read_exact(&mut block).unwrap();
                sum += block.iter().map(|byte| usize::from(*byte)).sum::<usize>();
            }
            return reply(stream, "", &sum.to_string());
        }
        let out = stream.get_mut();
        out.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
            .unwrap();
        (0..SIZE / MIB).all(|_| out.write_all(&block).is_ok())
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client
        .send(format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes());
    let mut block = vec![1; MIB];
    for _ in 0..SIZE / MIB {
        client.send(&block);
    }
    assert_eq!(client.read_response().text(), SIZE.to_string());

    client.send(b"GET /down HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        client.read_head().header("content-length"),
        Some(SIZE.to_string().as_str())
    );
    for _ in 0..SIZE / MIB {
        client.stream.read_exact(&mut block).unwrap();
        assert!(block.iter().all(|byte| *byte == 7));
    }
    let peak = proxy.memory("VmHWM");
    assert!(peak < 80 * 1024, "the proxy grew to {peak} KiB");
}

#[test]
fn an_answer_without_a_length_ends_where_the_backend_ends_it() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        stream
            .get_mut()
            .write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
            .unwrap();
        false
    });
    proxy.add_route("/", server.port);
    assert_eq!(proxy.get("/x").text(), "until the end");
}

#[test]
fn an_answer_cut_short_is_seen_to_be_cut_short() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            .unwrap();
        false
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    let mut body = Vec::new();
    let _ = client.stream.read_to_end(&mut body);
    assert_eq!(body, b"only this");
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_from_the_backend() {
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        assert_eq!(request.header("expect"), Some("100-continue"));
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .unwrap();
        let mut body = [0; 3];
        stream.read_exact(&mut body).unwrap();
        reply(stream, "", &String::from_utf8_lossy(&body))
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_head().status, 100);
    client.send(b"abc");
    assert_eq!(client.read_response().text(), "abc");
}
