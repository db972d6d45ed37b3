//! Chunked bodies that are nearly right.

use super::choices::Choices;
use super::requests::{ODD, end_line, numbered};

/// In these, `#` stands for the size. None is one that could still come, and be waited for in vain.
const SIZES: &[&[u8]] = &[
    b"0#",
    b"00000000000000000000#",
    b"0x#",
    b"+#",
    b"-#",
    b" #",
    b"# ",
    b"#\t",
    b"#;x",
    b"#;x=y",
    b"#;x=\"a;b\"",
    b"# ;x",
    b"#;",
    b"#; x = y",
    b"#;x\ny",
    b"#;x\ry",
    b"#;x\0y",
    b"#;\xff",
    b"#\n",
    b"#\r",
    b"#,",
    b"#.",
    b"#h",
    b"1000000000000000#",
    b"10000000000000000#",
    b"fffffffffffffffff",
    b"",
    b"g",
    b"#\0",
    b"# #",
    b"\x0b#",
    b"#\x0b",
];

const TRAILERS: &[&[u8]] = &[
    b"X: y\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: other\r\n",
    b" X: y\r\n",
    b"X y\r\n",
    b"X: y\n",
    b"\0: y\r\n",
    b"X: y\r\n z\r\n",
    b"X : y\r\n",
    b"X: \0\r\n",
    b": y\r\n",
    b"X: y\r\r\n",
    b"GET /smuggled HTTP/1.1\r\n",
];

/// The chunks of `body`, their end and trailers.
pub fn chunks(choices: &mut Choices<'_>, body: &[u8], bytes: &mut Vec<u8>) {
    let size = choices.of(&[64, 1, 2, 7]);
    for chunk in body.chunks(size) {
        let said = choices.mostly(chunk.len(), 3 * ODD, &[chunk.len() + 1, chunk.len() - 1]);
        let said = if choices.rarely(4) {
            format!("{said:X}")
        } else {
            format!("{said:x}")
        };
        bytes.extend(numbered(choices.mostly(b"#".as_slice(), ODD, SIZES), &said));
        if choices.rarely(200) {
            bytes.extend(
                [
                    b";x=".as_slice(),
                    &vec![b'y'; choices.of(&[100, 5000, 20_000])],
                ]
                .concat(),
            );
        }
        end_line(choices, bytes);
        bytes.extend_from_slice(chunk);
        end_line(choices, bytes);
    }
    if !choices.rarely(40) {
        bytes.extend(numbered(choices.mostly(b"#".as_slice(), ODD, SIZES), "0"));
        end_line(choices, bytes);
    }
    bytes.extend_from_slice(choices.mostly(b"", 6, TRAILERS));
    end_line(choices, bytes);
}
