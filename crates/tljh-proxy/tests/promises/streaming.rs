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

#[test]
fn a_client_that_waits_for_100_continue_need_not_send_its_body_in_vain() {
    let proxy = Proxy::start();
    let server = Backend::start(|_, stream| {
        let refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";
        stream.get_mut().write_all(refusal).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        false
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.read_response();
    assert_eq!((answer.status, answer.text().as_str()), (417, "no"));
}

#[test]
fn a_backend_that_never_says_100_continue_gets_the_body_all_the_same() {
    let proxy = Proxy::start();
    proxy.add_route("/", Backend::echo("hub").port);
    let mut client = Connection::open(proxy.port);
    client.send(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_head().status, 100);
    client.send(b"abc");
    assert_eq!(client.read_response().status, 200);
}

#[test]
fn answers_without_a_body_keep_their_headers_and_the_connection() {
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        let status = request.line.split(['/', ' ']).nth(2).unwrap();
        let headers = match status {
            "200" => "Content-Length: 1000\r\n",
            "201" => "Transfer-Encoding: chunked\r\n",
            _ => "ETag: \"x\"\r\n",
        };
        let answer = format!("HTTP/1.1 {status} Some Words\r\n{headers}\r\n");
        stream.get_mut().write_all(answer.as_bytes()).is_ok()
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    for _ in 0..3 {
        for (method, status) in [("HEAD", 200), ("HEAD", 201), ("GET", 204), ("GET", 304)] {
            client.send(format!("{method} /{status} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
            let answer = client.read_head();
            assert_eq!(answer.status, status);
            let length = answer.header("content-length");
            assert_eq!(
                length,
                (status == 200).then_some("1000"),
                "{method} {status}"
            );
            assert_eq!(answer.header("etag").is_some(), status > 203, "{status}");
        }
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_of_http_1_0_gets_answers_that_it_can_read() {
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        assert!(request.line.ends_with("HTTP/1.1"));
        assert!(request.header("host").unwrap().starts_with("127.0.0.1:"));
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        stream.get_mut().write_all(answer).is_ok()
    });
    proxy.add_route("/", server.port);
    let answer = crate::client::request(proxy.port, b"GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.text(), "abc");
}

#[test]
fn a_body_passes_with_any_method() {
    let proxy = Proxy::start();
    let server = Backend::start(|request, stream| {
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        let mut body = [0; 13];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"3\r\nabc\r\n0\r\n\r\n");
        reply(stream, "", "thanks")
    });
    proxy.add_route("/", server.port);
    for method in ["GET", "DELETE", "X-OWN", "OPTIONS"] {
        let mut client = Connection::open(proxy.port);
        client.send(format!("{method} /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").as_bytes());
        assert_eq!(client.read_response().text(), "thanks", "{method}");
    }
}

#[test]
fn a_request_is_given_up_when_its_client_goes() {
    let proxy = Proxy::start();
    let (ended, seen) = channel::<()>();
    let (arrived, here) = channel::<()>();
    let ends = Mutex::new((ended, arrived));
    let server = Backend::start(move |_, stream| {
        let (ended, arrived) = ends.lock().unwrap().clone();
        arrived.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        ended.send(()).unwrap();
        false
    });
    proxy.add_route("/", server.port);
    let mut client = Connection::open(proxy.port);
    client.send(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    here.recv_timeout(DEADLINE).unwrap();
    drop(client);
    seen.recv_timeout(DEADLINE).unwrap();
}
