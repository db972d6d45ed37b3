use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full, combinators::BoxBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::backend::{Backend, reply};
use crate::proxy::DEADLINE;
use crate::secure::{NAME, Secure, Tls};

type Sender = SendRequest<BoxBody<Bytes, Infallible>>;

/// Runs a test with one connection of HTTP/2.
fn with_connection<F: Future<Output = ()>>(secure: &Secure, test: impl FnOnce(Sender) -> F) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = secure.client(&[b"h2"], rustls::ALL_VERSIONS);
    runtime.block_on(async {
        let socket = TcpStream::connect(("127.0.0.1", secure.port))
            .await
            .unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from(NAME).unwrap();
        let tls = connector.connect(name, socket).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let io = TokioIo::new(tls);
        let shake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = shake.await.unwrap();
        tokio::spawn(connection);
        timeout(DEADLINE, test(sender))
            .await
            .expect("the test ends in time");
    });
}

fn empty() -> BoxBody<Bytes, Infallible> {
    Empty::new().boxed()
}

fn get(target: &str) -> Request<BoxBody<Bytes, Infallible>> {
    Request::get(format!("https://{NAME}{target}"))
        .body(empty())
        .unwrap()
}

async fn text(answer: Response<Incoming>) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// A body whose parts are handed in one by one.
struct Fed(tokio::sync::mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|part| part.map(Ok))
    }
}

#[test]
fn a_server_gets_what_http_1_would_have_sent() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    with_connection(&secure, |mut sender| async move {
        let mut request = get("/user/a%2Fb?c=%20&&");
        let headers = request.headers_mut();
        for crumb in ["a=1", "b=2", "c=3"] {
            headers.append("cookie", HeaderValue::from_static(crumb));
        }
        headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-backend"]),
            (200, &HeaderValue::from_static("hub"))
        );
        let text = text(answer).await;
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.remove(0), "GET /user/a%2Fb?c=%20&& HTTP/1.1");
        lines.sort_unstable();
        let expected = [
            "cookie: a=1; b=2; c=3",
            "host: hub.test",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: hub.test",
            "x-forwarded-port: 443",
            "x-forwarded-proto: https",
        ];
        assert_eq!(lines, expected);
    });
}

#[test]
fn answers_come_without_the_headers_of_another_connection() {
    let secure = Secure::start();
    let server = Backend::start(|request, stream| {
        if request.line.starts_with("HEAD") {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
            return stream.get_mut().write_all(head).is_ok();
        }
        if request.line.contains("/nothing") {
            return stream
                .get_mut()
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .is_ok();
        }
        let headers = "Connection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nX-One: 1\r\n\
                       Set-Cookie: a\r\nSet-Cookie: b\r\nUpgrade: h2c\r\n";
        reply(stream, headers, "body")
    });
    secure.proxy.add_route("/", server.port);
    with_connection(&secure, |mut sender| async move {
        let answer = sender.send_request(get("/")).await.unwrap();
        let headers: Vec<String> = answer
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            headers,
            [
                "x-one=1",
                "set-cookie=a",
                "set-cookie=b",
                "content-length=4"
            ]
        );
        assert_eq!(text(answer).await, "body");
        let mut head = get("/");
        *head.method_mut() = http::Method::HEAD;
        let answer = sender.send_request(head).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "7");
        assert_eq!(text(answer).await, "");
        let answer = sender.send_request(get("/nothing")).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().len()), (204, 0));
    });
}

#[test]
fn a_body_has_the_length_that_it_was_sent_with() {
    let secure = Secure::start();
    let server = Backend::start(|request, stream| {
        let mut body = Vec::new();
        if request.header("transfer-encoding").is_some() {
            while !body.ends_with(b"0\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                body.extend(byte);
            }
        } else if let Some(length) = request.header("content-length") {
            body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
        }
        let [length, encoding] =
            ["content-length", "transfer-encoding"].map(|name| request.header(name).unwrap_or("-"));
        reply(
            stream,
            "",
            &format!("{length} {encoding} {}", String::from_utf8_lossy(&body)),
        )
    });
    secure.proxy.add_route("/", server.port);
    with_connection(&secure, |mut sender| async move {
        let url = format!("https://{NAME}/x");
        let known = Request::post(&url)
            .body(Full::new(Bytes::from("abc")).boxed())
            .unwrap();
        assert_eq!(
            text(sender.send_request(known).await.unwrap()).await,
            "3 - abc"
        );
        let none = Request::post(&url)
            .header("content-length", 0)
            .body(empty())
            .unwrap();
        assert_eq!(text(sender.send_request(none).await.unwrap()).await, "0 - ");

        let (feed, fed) = tokio::sync::mpsc::unbounded_channel();
        let unknown = Request::post(&url)
            .header("te", "trailers")
            .body(Fed(fed).boxed())
            .unwrap();
        feed.send(Frame::data(Bytes::from("ab"))).unwrap();
        feed.send(Frame::data(Bytes::from("c"))).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-trailer", HeaderValue::from_static("left out"));
        feed.send(Frame::trailers(trailers)).unwrap();
        drop(feed);
        let answer = text(sender.send_request(unknown).await.unwrap()).await;
        assert!(
            answer.starts_with("- chunked ") && answer.contains("ab"),
            "{answer}"
        );
        assert!(!answer.contains("x-trailer"), "{answer}");
    });
}

#[test]
fn what_http_1_would_refuse_is_refused_and_the_others_go_on() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let hub = Backend::start(move |_, stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        reply(stream, "", "x")
    });
    let secure = Secure::start();
    secure.proxy.add_route("/", hub.port);
    with_connection(&secure, |mut sender| async move {
        let request = |name: &str, value: &str| {
            let mut request = get("/x");
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
            request
        };
        let connect = Request::connect("other.test:22").body(empty()).unwrap();
        let two_lengths = {
            let mut request = request("content-length", "5");
            request
                .headers_mut()
                .append("content-length", "6".parse().unwrap());
            request
        };
        let named = Request::get("https://me@hub.test/").body(empty()).unwrap();
        let many = (0..250).fold(get("/x"), |mut request, number| {
            let name: http::HeaderName = format!("x-{number}").parse().unwrap();
            request
                .headers_mut()
                .append(name, HeaderValue::from_static("y"));
            request
        });
        let large = request("cookie", &"x".repeat(70 << 10));
        for (request, status) in [
            (request("host", "other.test"), Some(400)),
            (connect, Some(405)),
            (two_lengths, None),
            (named, Some(400)),
            (many, Some(431)),
            (large, Some(431)),
        ] {
            let answer = sender.send_request(request).await;
            let answer = answer.ok().map(|answer| answer.status().as_u16());
            // hyper's own client, or h2, may already refuse; then nothing was sent on either.
            assert!(
                answer == status || (status.is_none() && answer == Some(400)),
                "{answer:?} for {status:?}"
            );
        }
        let cookies = request("cookie", &"x".repeat(60 << 10));
        assert_eq!(sender.send_request(cookies).await.unwrap().status(), 200);
    });
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn events_and_uploads_flow_part_by_part_beside_each_other() {
    let secure = Secure::start();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let events = Backend::start(move |_, stream| {
        let wait = wait.lock().unwrap();
        let socket = stream.get_mut();
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..3 {
            socket.write_all(b"5\r\nevent\r\n").unwrap();
            wait.recv_timeout(DEADLINE).unwrap();
        }
        socket.write_all(b"0\r\n\r\n").is_ok()
    });
    let (told, parts) = channel();
    let told = Mutex::new(told);
    let upload = Backend::start(move |_, stream| {
        let mut part = [0; 9];
        for _ in 0..2 {
            stream.read_exact(&mut part).unwrap();
            told.lock().unwrap().send(part).unwrap();
        }
        stream.read_exact(&mut [0; 5]).unwrap();
        reply(stream, "", "all")
    });
    secure.proxy.add_route("/events", events.port);
    secure.proxy.add_route("/upload", upload.port);
    with_connection(&secure, |mut sender| async move {
        let (feed, fed) = tokio::sync::mpsc::unbounded_channel();
        let request = Request::post(format!("https://{NAME}/upload"))
            .body(Fed(fed).boxed())
            .unwrap();
        let uploading = tokio::spawn(sender.send_request(request));
        let mut body = sender
            .send_request(get("/events"))
            .await
            .unwrap()
            .into_body();
        for _ in 0..3 {
            let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(event, "event");
            go.send(()).unwrap();
        }
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
        for part in ["one.", "two."] {
            feed.send(Frame::data(Bytes::from(part))).unwrap();
            let came = loop {
                match parts.try_recv() {
                    Ok(came) => break came,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            assert_eq!(came, *format!("4\r\n{part}\r\n").as_bytes());
        }
        drop(feed);
        assert_eq!(text(uploading.await.unwrap().unwrap()).await, "all");
    });
}

#[test]
fn a_hundred_requests_of_one_connection_are_answered_at_a_time() {
    let secure = Secure::start();
    let (arrived, all) = (Arc::new(std::sync::Barrier::new(100)), AtomicUsize::new(0));
    let server = Backend::start(move |request, stream| {
        arrived.wait();
        all.fetch_add(1, Ordering::SeqCst);
        let line = request.line.clone();
        reply(stream, "", &line)
    });
    secure.proxy.add_route("/", server.port);
    with_connection(&secure, |mut sender| async move {
        let answers: Vec<_> = (0..100)
            .map(|number| tokio::spawn(sender.send_request(get(&format!("/{number}")))))
            .collect();
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(
                text(answer.await.unwrap().unwrap()).await,
                format!("GET /{number} HTTP/1.1")
            );
        }
    });
}

#[test]
fn a_large_answer_waits_for_a_slow_client_and_not_in_memory() {
    const SIZE: usize = 64 << 20;
    let secure = Secure::start();
    let server = Backend::start(|_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        let socket = stream.get_mut();
        socket.write_all(head.as_bytes()).is_ok() && socket.write_all(&vec![7; SIZE]).is_ok()
    });
    secure.proxy.add_route("/", server.port);
    with_connection(&secure, |mut sender| async move {
        let mut body = sender.send_request(get("/")).await.unwrap().into_body();
        // Somebody who looks at the first part for a while.
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut length = first.len();
        while let Some(part) = body.frame().await {
            length += part.unwrap().into_data().unwrap().len();
        }
        assert_eq!(length, SIZE);
    });
    let peak = secure.proxy.memory("VmHWM");
    assert!(peak < 48 << 10, "{peak} KiB");
}

#[test]
fn a_server_that_breaks_off_is_told_as_a_stream_that_broke_off() {
    let secure = Secure::start();
    let server = Backend::start(|_, stream| {
        let _ = stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        false
    });
    secure.proxy.add_route("/broken", server.port);
    secure.proxy.add_route("/", Backend::echo("hub").port);
    with_connection(&secure, |mut sender| async move {
        let answer = sender.send_request(get("/broken")).await;
        let whole = match answer {
            Ok(answer) => answer.into_body().collect().await.is_ok(),
            Err(_) => false,
        };
        assert!(!whole);
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    });
}

/// Frames of HTTP/2 as bytes (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers without compression (RFC 7541, section 6.2.2).
fn headers(stream: u32, ends: bool, fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| [vec![0], text(name), text(value)].concat())
        .collect();
    frame(1, if ends { 5 } else { 4 }, stream, &fields)
}

const USUAL: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", NAME),
    (":path", "/"),
];

/// A connection that says what it likes.
fn raw(secure: &Secure) -> Tls {
    let mut tls = secure
        .connect_as(secure.client(&[b"h2"], rustls::ALL_VERSIONS))
        .unwrap();
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    tls.write_all(&frame(4, 0, 0, &[])).unwrap();
    tls
}

/// Kind, stream and payload of the next frame; `None` at the end.
fn read_frame(tls: &mut Tls) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    tls.read_exact(&mut head).ok()?;
    let [a, b, c, kind, _, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    tls.read_exact(&mut payload).ok()?;
    Some((kind, u32::from_be_bytes(stream), payload))
}

/// Reads until a stream is reset or the connection ends; gives the kind of what says so, and its code.
fn end_of(tls: &mut Tls) -> Option<(u8, u32)> {
    while let Some((kind, _, payload)) = read_frame(tls) {
        let code = |from: usize| u32::from_be_bytes(payload[from..from + 4].try_into().unwrap());
        match kind {
            3 => return Some((kind, code(0))),
            7 if code(4) != 0 => return Some((kind, code(4))),
            _ => {}
        }
    }
    None
}

#[test]
fn headers_that_http_2_does_not_have_and_lengths_that_lie_reach_no_server() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let hub = Backend::start(move |request, stream| {
        if request.line.starts_with("POST /whole ") {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        let _ = stream.read_to_end(&mut Vec::new());
        false
    });
    let secure = Secure::start();
    secure.proxy.add_route("/", hub.port);
    for header in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("te", "gzip"),
        ("Upper", "case"),
        ("x", "a\r\nb: c"),
        (":protocol", "websocket"),
        ("content-length", "5"),
        ("content-length", "x"),
    ] {
        let mut tls = raw(&secure);
        let mut fields = USUAL.to_vec();
        fields[3] = (":path", "/whole");
        fields.push(header);
        tls.write_all(&headers(1, true, &fields)).unwrap();
        // A reset stream or a connection that ends, both with a reason; or an answer that refuses.
        let mut refused = false;
        while let Some((kind, stream, payload)) = read_frame(&mut tls) {
            refused = matches!(kind, 3 | 7)
                || (kind == 1 && stream == 1 && payload.first() == Some(&0x8c));
            if refused {
                break;
            }
        }
        assert!(refused, "{header:?}");
    }
    let mut tls = raw(&secure);
    let mut fields = USUAL.to_vec();
    fields.push(("content-length", "3"));
    tls.write_all(&headers(1, false, &fields)).unwrap();
    tls.write_all(&frame(0, 1, 1, b"four")).unwrap();
    assert_eq!(end_of(&mut tls), Some((3, 1)));
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn a_client_that_takes_requests_back_at_once_is_sent_away() {
    let secure = Secure::start();
    secure.proxy.add_route("/", Backend::echo("hub").port);
    let mut tls = raw(&secure);
    let mut flood = Vec::new();
    for number in 0..2_000 {
        flood.extend(headers(2 * number + 1, true, &USUAL));
        flood.extend(frame(3, 0, 2 * number + 1, &8_u32.to_be_bytes()));
    }
    let _ = tls.write_all(&flood);
    let ended = loop {
        match read_frame(&mut tls) {
            Some((7, _, payload)) => break Some(payload[7]),
            Some(_) => {}
            None => break None,
        }
    };
    // ENHANCE_YOUR_CALM, if it is not lost with the connection.
    assert!(matches!(ended, None | Some(11)), "{ended:?}");
    assert_eq!(secure.get("/").status, 200);
}

#[test]
fn websockets_over_http_2_are_not_announced() {
    let secure = Secure::start();
    let mut tls = raw(&secure);
    let settings = loop {
        if let Some((4, 0, payload)) = read_frame(&mut tls) {
            break payload;
        }
    };
    let names: Vec<u16> = settings
        .chunks(6)
        .map(|entry| u16::from_be_bytes([entry[0], entry[1]]))
        .collect();
    // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, section 3).
    assert!(!names.contains(&8), "{names:?}");
}

#[test]
fn requests_under_way_are_answered_by_the_process_that_took_them_and_it_sends_the_others_away() {
    let secure = Secure::start();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Backend::start(move |_, stream| {
        wait.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        reply(stream, "", "finished")
    });
    secure.proxy.add_route("/slow", server.port);
    secure.proxy.add_route("/", Backend::echo("hub").port);
    let proxy = &secure.proxy;
    with_connection(&secure, |mut sender| async move {
        let slow = tokio::spawn(sender.send_request(get("/slow")));
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
        proxy.reload();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!slow.is_finished());
        go.send(()).unwrap();
        assert_eq!(text(slow.await.unwrap().unwrap()).await, "finished");
        // The end was announced, so that a browser opens another connection, which the new process takes.
        while !sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(secure.get("/").status, 200);
}
