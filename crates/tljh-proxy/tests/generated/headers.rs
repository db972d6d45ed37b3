//! Headers that are nearly right.

use super::choices::Choices;
use super::requests::{Framing, ODD, numbered};

const HOSTS: &[&[u8]] = &[
    b"h:80",
    b"H.Example",
    b"h:",
    b"h:x",
    b"h:99999",
    b"h:-1",
    b"h:80:81",
    b"h/x",
    b"h?x",
    b"h#x",
    b"h\\x",
    b"a b",
    b"a\tb",
    b"a,b",
    b"u@h",
    b"[::1]",
    b"[::1]:80",
    b"[::1",
    b"::1",
    b"h..x",
    b".h",
    b"h.",
    b"",
    b" ",
    b"h\0",
    b"h\x7f",
    b"h\x01",
    b"\xc3\xa9",
    b"\xff",
    b"%68",
    b"h<x>",
    b"\"h\"",
    b"h;x",
    b"-",
    b"_h",
    b"127.0.0.1",
    b"http://h",
    b"/",
    b"*",
    b"h{}",
];

const HOST_NAMES: &[&[u8]] = &[
    b"host",
    b"HOST",
    b"Host ",
    b" Host",
    b"Host\t",
    b"H\xc3\xb6st",
    b"Host\0",
    b"X\nHost",
    b"X: y\rHost",
];

/// In these, `#` stands for the number.
const LENGTHS: &[&[u8]] = &[
    b"0#",
    b"+#",
    b"-#",
    b" #",
    b"# ",
    b"#\t",
    b"\x0b#",
    b"#,#",
    b"#, #",
    b"# #",
    b"#,",
    b",#",
    b"0x#",
    b"#.0",
    b"#e0",
    b"#;x",
    b"",
    b" ",
    b"18446744073709551616",
    b"18446744073709551617",
    b"99999999999999999999999",
    b"#\0",
    b"\"#\"",
    b"#_0",
    b"0000000000000000000000000000000#",
    b"1#",
    b"0",
    b"x",
    b"\xef\xbc\x91",
];

const LENGTH_NAMES: &[&[u8]] = &[
    b"content-length",
    b"CONTENT-LENGTH",
    b"Content_Length",
    b"Content-Length ",
    b"Content-Length\t",
    b" Content-Length",
    b"\tContent-Length",
    b"Content-Length\0",
    b"Content-Length\r",
    b"X\nContent-Length",
    b"X: y\rContent-Length",
    b"Content Length",
    b"Content-Length:",
    b"\xc4\xb8Content-Length",
];

const CODINGS: &[&[u8]] = &[
    b"Chunked",
    b"CHUNKED",
    b" chunked",
    b"chunked ",
    b"\tchunked",
    b"chunked\t",
    b"\x0bchunked",
    b"chunked\x0b",
    b"\xa0chunked",
    b"chunked\0",
    b"chun ked",
    b"chunke",
    b"chunkedd",
    b"xchunked",
    b"\"chunked\"",
    b"chunked;q=1",
    b"chunked,",
    b",chunked",
    b"chunked, chunked",
    b"identity",
    b"identity, chunked",
    b"chunked, identity",
    b"gzip",
    b"gzip, chunked",
    b"chunked, gzip",
    b"",
    b" ",
    b"null",
    b"ch\xc5\xb8nked",
    b"chunked\r",
    b"\"\", chunked",
];

const CODING_NAMES: &[&[u8]] = &[
    b"transfer-encoding",
    b"TRANSFER-ENCODING",
    b"Transfer_Encoding",
    b"Transfer-Encoding ",
    b"Transfer-Encoding\t",
    b" Transfer-Encoding",
    b"\tTransfer-Encoding",
    b"Transfer-Encoding\0",
    b"Transfer-Encoding\r",
    b"X\nTransfer-Encoding",
    b"X: y\rTransfer-Encoding",
    b"Transfer Encoding",
    b"\"Transfer-Encoding\"",
    b"Transfer-Encoding:",
    b"TE",
    b"Transfer-Encodin\xe7",
];

const HEADERS: &[&[u8]] = &[
    b"X-A: b",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: X-A, Host",
    b"Connection: Content-Length",
    b"Connection: Transfer-Encoding, Content-Length",
    b"Connection: Upgrade\r\nUpgrade: websocket",
    b"Connection: \xff",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Expect: 100-continue",
    b"Expect: 100-Continue, x",
    b"Expect: x",
    b"TE: trailers",
    b"Trailer: Content-Length",
    b"Keep-Alive: 5",
    b"Proxy-Connection: close",
    b"Cookie: a=b; c=d",
    b"X-Forwarded-Host: a, b",
    b"X-Forwarded-Proto: https",
    b"Date: x",
    b"Content-Type: a/b",
    b"X-A:",
    b"X-A:b",
    b"X-A:\tb",
    b"X-A: b ",
    b"X-A : b",
    b"X A: b",
    b"X_A: b",
    b"X@A: b",
    b"X(A): b",
    b": b",
    b":",
    b"X-A",
    b" X-A: b",
    b"X-A: b\r\n c",
    b"X-A: b\r\n\tc",
    b"X-A: b\r\n ",
    b"X-A: b\n c",
    b"X-A: b\rc",
    b"X-A: b\0c",
    b"X-A: b\x01c",
    b"X-A: b\x7fc",
    b"X-A: b\xffc",
    b"X-A: b\xc3\xa9c",
    b"X\0A: b",
    b"X\xc3\xa9A: b",
    b"\"X\": b",
    b"X-A: b\nX-B: c",
    b"X-A: b\n\nGET /smuggled HTTP/1.1\r\nHost: h",
    b"X-A: b\r\rX-B: c",
    b"GET /smuggled HTTP/1.1",
    b"X-A: b\x0bc",
    b"X-A: b\x0cc",
    b"X-A: b\xe2\x80\xa8c",
    b"\xef\xbb\xbfX-A: b",
    b"X-A\x0b: b",
];

/// The lines of a head behind the first, without their ends; a body of `length` bytes follows.
pub fn headers(choices: &mut Choices<'_>, framing: Framing, length: usize) -> Vec<Vec<u8>> {
    let mut lines = hosts(choices);
    lines.extend(framing_headers(choices, framing, length));
    for _ in 0..choices.of(&[0, 0, 0, 1, 1, 2]) {
        let place = choices.below(lines.len() + 1);
        lines.insert(place, choices.of(HEADERS).to_vec());
    }
    if choices.rarely(100) {
        let size = choices.of(&[3000, 9000, 66_000]);
        lines.push([b"X-Long: ".as_slice(), &vec![b'x'; size]].concat());
    }
    if choices.rarely(100) {
        let count = choices.of(&[90, 201, 300]);
        lines.extend((0..count).map(|number| format!("X-{number}: y").into_bytes()));
    }
    lines
}

fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b": ", value].concat()
}

fn hosts(choices: &mut Choices<'_>) -> Vec<Vec<u8>> {
    let count = choices.mostly(1, ODD, &[0, 2, 2, 3]);
    let mut lines = Vec::new();
    for _ in 0..count {
        let name = choices.mostly(b"Host".as_slice(), ODD, HOST_NAMES);
        lines.push(header(name, choices.mostly(b"h", 8, HOSTS)));
    }
    lines
}

fn framing_headers(choices: &mut Choices<'_>, framing: Framing, length: usize) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let if_odd = |choices: &mut Choices<'_>, usual: &'static [u8], times, others| {
        if framing == Framing::Odd {
            choices.mostly(usual, times, others)
        } else {
            usual
        }
    };
    let lengths = match framing {
        Framing::Length => 1,
        Framing::Odd => choices.below(3),
        _ => 0,
    };
    for _ in 0..lengths {
        let name = if_odd(choices, b"Content-Length", 4, LENGTH_NAMES);
        let length = choices.mostly(length, ODD, &[length + 1, length.saturating_sub(1), 0, 3]);
        let value = if_odd(choices, b"#", 2, LENGTHS);
        lines.push(header(name, &numbered(value, &length.to_string())));
    }
    let codings = match framing {
        Framing::Chunks => 1,
        Framing::Odd => choices.below(3),
        _ => 0,
    };
    for _ in 0..codings {
        let name = if_odd(choices, b"Transfer-Encoding", 4, CODING_NAMES);
        let value = if_odd(choices, b"chunked", 2, CODINGS);
        let place = choices.below(lines.len() + 1);
        lines.insert(place, header(name, value));
    }
    lines
}
