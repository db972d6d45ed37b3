//! A client that sends exactly the bytes it is given.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::proxy::DEADLINE;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection, kept open.
pub struct Connection<S = TcpStream> {
    pub stream: BufReader<S>,
}

impl Connection {
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Connection<S> {
    pub fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    pub fn read_head(&mut self) -> Response {
        let (first, headers) = read_head(&mut self.stream).expect("an answer");
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        Response {
            status,
            headers,
            body: Vec::new(),
        }
    }

    /// Reads one whole answer, to a request that was not HEAD.
    pub fn read_response(&mut self) -> Response {
        let mut response = self.read_head();
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.read_chunk() {
                response.body.extend(chunk);
            }
        } else if let Some(length) = response.header("content-length") {
            response.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut response.body).unwrap();
        } else if !matches!(response.status, 101 | 204 | 304) {
            self.stream.read_to_end(&mut response.body).unwrap();
        }
        response
    }

    /// The next chunk of a chunked body; `None` at its end.
    pub fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(read_line(&mut self.stream).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk).unwrap();
        read_line(&mut self.stream);
        (size > 0).then_some(chunk)
    }
}

/// Sends a request on a connection of its own and reads the answer.
pub fn request(port: u16, bytes: &[u8]) -> Response {
    let mut connection = Connection::open(port);
    connection.send(bytes);
    connection.read_response()
}

/// First line and headers, their names in lower case; `None` if the peer closed before.
pub fn read_head(stream: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let first = read_line(stream)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            return Some((first, headers));
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
}

/// A line without its end; each byte becomes the character of that number.
fn read_line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match stream.read_until(b'\n', &mut line) {
        Ok(1..) => Some(
            line.iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .trim_end()
                .to_string(),
        ),
        _ => None,
    }
}
