//! Requests that are nearly right.

use super::choices::Choices;
use super::chunks::chunks;
use super::first_line::first_line;
use super::headers::headers;

/// A part of a request is not as it should be once in so many times: that makes about two odd parts a request.
pub const ODD: usize = 14;

const LINE_ENDS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\r\n",
    b"\n\r",
    b" \r\n",
    b"\t\r\n",
    b"",
    b"\0\r\n",
    b"\x0b\r\n",
    b"\r\n \r\n",
];

const BODIES: &[&[u8]] = &[
    b"body",
    b"",
    b"x",
    b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"\0\xff\r\n",
];

/// How a request says where its body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length,
    Chunks,
    Odd,
}

/// The bytes of one to three requests, one behind the other.
pub fn requests(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = choices.of(&[1, 1, 2, 3]);
    let mut bytes = Vec::new();
    for number in 0..count {
        request(choices, number, &mut bytes);
    }
    bytes
}

fn request(choices: &mut Choices<'_>, number: usize, bytes: &mut Vec<u8>) {
    bytes.extend(first_line(choices, number));
    end_line(choices, bytes);
    let framing = choices.of(&[
        Framing::None,
        Framing::Length,
        Framing::Chunks,
        Framing::Odd,
    ]);
    let body = if framing == Framing::None {
        b""
    } else {
        choices.of(BODIES)
    };
    for line in headers(choices, framing, body.len()) {
        bytes.extend(line);
        end_line(choices, bytes);
    }
    end_line(choices, bytes);
    let is_chunked = match framing {
        Framing::None | Framing::Length => false,
        Framing::Chunks => true,
        Framing::Odd => choices.of(&[true, false]),
    };
    if is_chunked {
        chunks(choices, body, bytes);
    } else {
        bytes.extend_from_slice(body);
    }
}

/// Ends a line, nearly always as lines end.
pub fn end_line(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(choices.mostly(b"\r\n", 5 * ODD, LINE_ENDS));
}

/// `pattern` with `number` for `#`.
pub fn numbered(pattern: &[u8], number: &str) -> Vec<u8> {
    let parts: Vec<&[u8]> = pattern.split(|byte| *byte == b'#').collect();
    parts.join(number.as_bytes())
}
