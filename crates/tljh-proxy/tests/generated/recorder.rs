//! A backend that keeps what it is asked, and takes nothing that could be read in two ways.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub target: Vec<u8>,
    /// Empty if there is none.
    pub host: Vec<u8>,
    pub body: Vec<u8>,
}

/// The bytes of a head that is not as RFC 9112 wants it from a sender.
pub type Unclear = Vec<u8>;

type Kept = Arc<Mutex<Vec<Result<Seen, Unclear>>>>;

pub struct Recorder {
    pub port: u16,
    kept: Kept,
}

impl Recorder {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Kept::default();
        let keep = kept.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let keep = keep.clone();
                thread::spawn(move || serve(stream.unwrap(), &keep));
            }
        });
        Self { port, kept }
    }

    /// What has come since this was called last. A request is there before it is answered, so that whoever has the last
    /// answer misses none. One whose body breaks off is left out: a backend does nothing with it.
    pub fn take(&self) -> Vec<Result<Seen, Unclear>> {
        std::mem::take(&mut self.kept.lock().unwrap())
    }
}

fn serve(stream: TcpStream, kept: &Kept) {
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream) {
        let Some((mut seen, length, continues)) = understand(&head) else {
            kept.lock().unwrap().push(Err(head));
            return;
        };
        if continues
            && stream
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .is_err()
        {
            return;
        }
        let Some(body) = read_body(&mut stream, length) else {
            return;
        };
        seen.body = body;
        let answer: &[u8] = if seen.method == "HEAD" {
            b"HTTP/1.1 200 OK\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        };
        kept.lock().unwrap().push(Ok(seen));
        if stream.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

/// All up to the first empty line.
fn read_head(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_until(b'\n', &mut head) {
            Ok(1..) => {}
            _ => return None,
        }
    }
    Some(head)
}

enum Length {
    Bytes(usize),
    Chunks,
}

/// A head without the least doubt: what is to be seen, the body's length, and whether a `100 Continue` is waited for.
fn understand(head: &[u8]) -> Option<(Seen, Length, bool)> {
    let mut lines = Vec::new();
    let mut rest = head.strip_suffix(b"\r\n\r\n")?;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    let (first, headers) = lines.split_first()?;
    let words: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = words[..] else {
        return None;
    };
    if !is_token(method)
        || target.is_empty()
        || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f)
    {
        return None;
    }
    let mut values: [Vec<&[u8]>; 4] = Default::default();
    for line in headers {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name)
            || value
                .iter()
                .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let known: [&[u8]; 4] = [b"host", b"content-length", b"transfer-encoding", b"expect"];
        if let Some(place) = known.iter().position(|known| *known == name) {
            values[place].push(value);
        }
    }
    let [hosts, lengths, codings, expected] = values;
    let length = match (&lengths[..], &codings[..]) {
        ([], []) => Length::Bytes(0),
        ([length], []) if length.iter().all(u8::is_ascii_digit) => {
            Length::Bytes(str::from_utf8(length).ok()?.parse().ok()?)
        }
        ([], [b"chunked"]) => Length::Chunks,
        _ => return None,
    };
    if hosts.len() > 1 {
        return None;
    }
    let seen = Seen {
        method: String::from_utf8_lossy(method).into_owned(),
        target: target.to_vec(),
        host: hosts.concat(),
        body: Vec::new(),
    };
    Some((seen, length, !expected.is_empty()))
}

fn is_token(word: &[u8]) -> bool {
    let odd = b"!#$%&'*+-.^_`|~";
    !word.is_empty()
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || odd.contains(byte))
}

/// The body; `None` if it breaks off or is malformed.
fn read_body(stream: &mut BufReader<TcpStream>, length: Length) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    match length {
        Length::Bytes(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body).ok()?;
        }
        Length::Chunks => loop {
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line).ok()?;
            let size = str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
            let size = usize::from_str_radix(size, 16).ok()?;
            let before = body.len();
            body.resize(before + size, 0);
            stream.read_exact(&mut body[before..]).ok()?;
            let mut end = [0; 2];
            stream.read_exact(&mut end).ok()?;
            if &end != b"\r\n" {
                return None;
            }
            if size == 0 {
                break;
            }
        },
    }
    Some(body)
}
