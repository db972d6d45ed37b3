//! A backend: a thread for each connection, and a function that answers.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::client::read_head;
use crate::proxy::DEADLINE;

pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn length(&self) -> usize {
        self.header("content-length")
            .map_or(0, |length| length.parse().unwrap())
    }
}

pub type Stream = BufReader<TcpStream>;

pub struct Backend {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

impl Backend {
    /// `answer` is called for each request; the connection is closed when it gives false.
    pub fn start(answer: impl Fn(&Request, &mut Stream) -> bool + Send + Sync + 'static) -> Self {
        Self::start_on(0, answer)
    }

    /// As `start`, on a port that was chosen before.
    pub fn start_on(
        port: u16,
        answer: impl Fn(&Request, &mut Stream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, answer) = (connections.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut stream = BufReader::new(stream.unwrap());
                let answer = answer.clone();
                thread::spawn(move || {
                    while let Some((line, headers)) = read_head(&mut stream) {
                        if !answer(&Request { line, headers }, &mut stream) {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, connections }
    }

    /// Answers each request with its own first line and headers, and its name in `x-backend`.
    pub fn echo(name: &'static str) -> Self {
        Self::echo_on(0, name)
    }

    /// As `echo`, on a port that was chosen before.
    pub fn echo_on(port: u16, name: &'static str) -> Self {
        Self::start_on(port, move |request, stream| {
            let mut body = vec![0; request.length()];
            stream.read_exact(&mut body).unwrap();
            let mut text = format!("{}\n", request.line);
            for (key, value) in &request.headers {
                text += &format!("{key}: {value}\n");
            }
            reply(stream, &format!("x-backend: {name}\r\n"), &text)
        })
    }

    /// Answers `finished` when it is let go on, and tells that a request has come.
    pub fn held() -> (Self, Held) {
        let (arrived, seen) = channel();
        let (go, wait) = channel::<()>();
        let ends = Mutex::new((arrived, wait));
        let backend = Self::start(move |_, stream| {
            let (arrived, wait) = &*ends.lock().unwrap();
            arrived.send(()).unwrap();
            wait.recv_timeout(DEADLINE).unwrap();
            reply(stream, "", "finished")
        });
        (backend, Held { seen, go })
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The hand on a backend that holds its answers back.
pub struct Held {
    seen: Receiver<()>,
    go: Sender<()>,
}

impl Held {
    /// Waits until a request has come.
    pub fn wait(&self) {
        self.seen.recv_timeout(DEADLINE).unwrap();
    }

    /// Lets one answer go.
    pub fn go_on(&self) {
        self.go.send(()).unwrap();
    }
}

/// Answers with 200, more headers, and a body. True, so that the connection is kept.
pub fn reply(stream: &mut Stream, headers: &str, body: &str) -> bool {
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(text.as_bytes()).is_ok()
}
