//! Where requests begin and end in the bytes of a connection.
//!
//! hyper settles a request that has both `Content-Length` and `Transfer-Encoding`, or one of them twice, and forgets what
//! is too much, as it may (RFC 9112, section 6.3); and it cuts a fragment off the target, which has none (section 3.2).
//! Such a request is an attack more often than not, and to be refused as nginx refuses it. That takes the bytes of its
//! head.

use http::{HeaderMap, header};
use memchr::{memchr_iter, memchr2};

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// In bytes; 0 if there is none.
    Known(u64),
    /// As long as its chunks.
    Chunked,
}

/// A request that could be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ambiguous head of a request")]
pub struct FramingError;

/// The bytes received that belong to no request yet.
#[derive(Debug, Default)]
pub struct Framing {
    pending: Vec<u8>,
    /// Bytes of the current body still to come.
    body: u64,
    /// A chunked body was begun: where it ends is hyper's knowledge alone, so that no other request can follow it.
    chunked: bool,
}

impl Framing {
    /// Takes what was read from the connection; true if it belongs to a request to come.
    pub fn receive(&mut self, bytes: &[u8]) -> bool {
        if self.chunked {
            return false;
        }
        let body = usize::try_from(self.body).map_or(bytes.len(), |body| body.min(bytes.len()));
        self.body -= body as u64;
        let more = bytes.get(body..).unwrap_or_default();
        self.pending.extend_from_slice(more);
        !more.is_empty()
    }

    /// Whether there are bytes of a request to come.
    pub fn is_in_head(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the head that hyper has read into `headers`, and says how long its body is.
    ///
    /// # Errors
    /// The length is given more than once, or in a way that is not understood; or the target has a fragment.
    pub fn take_head(&mut self, headers: &HeaderMap) -> Result<BodyLength, FramingError> {
        let (start, end) = bounds_of_head(&self.pending).ok_or(FramingError)?;
        let head = self.pending.get(start..end).unwrap_or_default();
        if has_fragment(head) {
            return Err(FramingError);
        }
        let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
        if let Some(encoding) = encodings.next() {
            let ambiguous = encodings.next().is_some()
                || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked")
                || content_lengths(head) > 0;
            self.chunked = true;
            self.pending = Vec::new();
            return if ambiguous {
                Err(FramingError)
            } else {
                Ok(BodyLength::Chunked)
            };
        }
        let length = match headers.get(header::CONTENT_LENGTH) {
            None => 0,
            Some(_) if content_lengths(head) > 1 => return Err(FramingError),
            Some(length) => {
                let length = length.to_str().map_err(|_| FramingError)?;
                length.parse().map_err(|_| FramingError)?
            }
        };
        let rest = self.pending.len() - end;
        let body = usize::try_from(length).map_or(rest, |length| length.min(rest));
        self.body = length - body as u64;
        if end + body == self.pending.len() {
            self.pending.clear();
            self.pending.shrink_to(1 << 12);
        } else {
            self.pending.drain(..end + body);
        }
        Ok(BodyLength::Known(length))
    }
}

/// Where the first line begins, and the position behind the first empty line that follows. Lines may end with LF alone,
/// and empty ones may come before the first (RFC 9112, section 2.2).
fn bounds_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let head = bytes.get(start..)?;
    let end = memchr_iter(b'\n', head).find_map(|line| match head.get(line + 1..)? {
        [b'\n', ..] => Some(start + line + 2),
        [b'\r', b'\n', ..] => Some(start + line + 3),
        _ => None,
    })?;
    Some((start, end))
}

fn has_fragment(head: &[u8]) -> bool {
    matches!(memchr2(b'#', b'\n', head), Some(at) if head.get(at) == Some(&b'#'))
}

fn content_lengths(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length";
    let lines = head.split(|byte| *byte == b'\n');
    lines
        .filter(|line| {
            line.get(..NAME.len())
                .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value): (http::HeaderName, _)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn heads_end_with_the_first_empty_line_behind_a_line() {
        for (bytes, end) in [
            (b"GET / HTTP/1.1\r\n\r\n".as_slice(), Some(18)),
            (b"GET / HTTP/1.1\n\n", Some(16)),
            (b"GET / HTTP/1.1\nA: b\r\n\nbody\r\n\r\n", Some(22)),
            (b"\r\n\r\nGET / HTTP/1.1\r\n\r\nGET", Some(22)),
            (b"GET / HTTP/1.1\r\nA: b\r\n", None),
            (b"GET / HTTP/1.1\r\n\r", None),
            (b"\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(
                bounds_of_head(bytes).map(|(_, end)| end),
                end,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn requests_are_told_apart_however_they_are_cut() {
        let post = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        let body = "\r\n\r\nx";
        let get = "GET / HTTP/1.1\r\n\r\n";
        let both = "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let bytes = [post, body, get, both].concat();
        let ends = [post.len(), [post, body, get].concat().len(), bytes.len()];
        for size in 1..=bytes.len() {
            let mut framing = Framing::default();
            let mut lengths = Vec::new();
            let mut received = 0;
            for part in bytes.as_bytes().chunks(size) {
                framing.receive(part);
                received += part.len();
                // hyper asks as soon as it has seen the end of a head.
                while ends.get(lengths.len()).is_some_and(|end| *end <= received) {
                    let headers = match lengths.len() {
                        0 => headers(&[("content-length", "5")]),
                        1 => headers(&[]),
                        _ => headers(&[("transfer-encoding", "chunked")]),
                    };
                    lengths.push(framing.take_head(&headers));
                }
            }
            let expected = [
                Ok(BodyLength::Known(5)),
                Ok(BodyLength::Known(0)),
                Err(FramingError),
            ];
            assert_eq!(lengths, expected, "{size}");
        }
    }

    #[test]
    fn a_request_has_one_length_and_a_target_without_a_fragment() {
        for (head, headers, expected) in [
            (
                "Transfer-Encoding: Chunked",
                headers(&[("transfer-encoding", "Chunked")]),
                Ok(BodyLength::Chunked),
            ),
            (
                "Content-Length: 5",
                headers(&[("content-length", "5")]),
                Ok(BodyLength::Known(5)),
            ),
            (
                "Content-Length: 5\r\nX: #\r\ncontent-length: 5",
                headers(&[("content-length", "5")]),
                Err(FramingError),
            ),
            (
                "Transfer-Encoding: gzip, chunked",
                headers(&[("transfer-encoding", "gzip, chunked")]),
                Err(FramingError),
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                headers(&[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ]),
                Err(FramingError),
            ),
            (
                "Transfer-Encoding: chunked\r\ncontent-LENGTH: 5",
                headers(&[("transfer-encoding", "chunked")]),
                Err(FramingError),
            ),
        ] {
            let mut framing = Framing::default();
            framing.receive(format!("POST / HTTP/1.1\r\n{head}\r\n\r\n").as_bytes());
            assert_eq!(framing.take_head(&headers), expected, "{head}");
        }
        for (target, expected) in [("/x", Ok(BodyLength::Known(0))), ("/x#", Err(FramingError))] {
            let mut framing = Framing::default();
            framing.receive(format!("\r\nGET {target} HTTP/1.1\r\nX: #\r\n\r\n").as_bytes());
            assert_eq!(framing.take_head(&headers(&[])), expected, "{target}");
        }
    }
}
