//! First lines that are nearly right.

use super::choices::Choices;
use super::requests::ODD;

const METHODS: &[&[u8]] = &[
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"Post",
    b"GE-T",
    b"GE_T",
    b"GE!T",
    b"G.T",
    b"",
    b"GET\t",
    b"GET\0",
    b"G\xc3\xa9T",
    b"\"GET\"",
    b"G(T",
    b"XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
];

const TARGETS: &[&[u8]] = &[
    b"/a?b=c",
    b"/a%2Fb",
    b"/a%00b",
    b"/%",
    b"/%zz",
    b"/%4",
    b"/a/../b",
    b"/../x",
    b"/a/../../x",
    b"/%2e%2e/x",
    b"/..",
    b"/a/./b",
    b"//x",
    b"/a//b",
    b"/a b",
    b"/a\tb",
    b"/a?q=%0d%0a",
    b"/a?b c",
    b"/a?%zz",
    b"/a?\xff",
    b"*",
    b"*x",
    b"",
    b"?x",
    b"x",
    b"../x",
    b"/a#b",
    b"/a?b#c",
    b"/#",
    b"/a\\b",
    b"\\a",
    b"/a\"b",
    b"/<x>",
    b"/{x}|^`",
    b"/\xc3\xa9",
    b"/\xff",
    b"/a\0b",
    b"/a\x7fb",
    b"/a\x01b",
    b"/a\rb",
    b"/a;b",
    b"http://other/x",
    b"http://Other:80/x",
    b"HTTP://other/x",
    b"http://other",
    b"http://other?x",
    b"http://other#x",
    b"http://other:/x",
    b"http://other:x/x",
    b"http://other:99999/x",
    b"http://user@other/x",
    b"http://user:pw@other/x",
    b"http://a@b@c/x",
    b"http://",
    b"http:///x",
    b"http:/x",
    b"http:x",
    b"http://[::1]/x",
    b"http://[::1]:80/x",
    b"http://[::1/x",
    b"http://o ther/x",
    b"http://o\\ther/x",
    b"http://o%74her/x",
    b"http://other/../x",
    b"http://other//x",
    b"https://other/x",
    b"ftp://other/x",
    b"ws://other/x",
    b"://other/x",
    b"//other/x",
    b"other:80",
    b"other",
    b"[::1]:80",
    b"http://other*",
    b"http://.other/x",
    b"http://other./x",
    b"http://ot..her/x",
];

const VERSIONS: &[&[u8]] = &[
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/1.9",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"HTTP/1.10",
    b"HTTP/1.01",
    b"HTTP/01.1",
    b"HTTP/1",
    b"HTTP/1.",
    b"HTTP/.1",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"HTTP/1.1\t",
    b"HTTP/1.1x",
    b"HTTP/1.1 x",
    b"HTTP /1.1",
    b"XTTP/1.1",
    b"",
    b"HTTP/3.0",
    b"HTTP/-1.1",
    b"HTTP/1,1",
];

const GAPS: &[&[u8]] = &[b"  ", b"\t", b"", b"\x0b", b" \t", b"\xa0", b"\r"];

const BEFORE: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\r",
    b" ",
    b"\r\n ",
    b"\0",
    b"\xef\xbb\xbf",
    b"\t\r\n",
];

/// A first line without its end; `number` is that of the request.
pub fn first_line(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let mut bytes = choices.mostly(b"".as_slice(), ODD, BEFORE).to_vec();
    bytes.extend_from_slice(choices.mostly(b"GET", 4, METHODS));
    bytes.extend_from_slice(choices.mostly(b" ", 3 * ODD, GAPS));
    match choices.below(80) {
        79 => bytes.extend(
            [
                b"/",
                vec![b'x'; choices.of(&[3000, 9000, 66_000])].as_slice(),
            ]
            .concat(),
        ),
        60..79 => bytes.extend_from_slice(choices.of(TARGETS)),
        _ => bytes.extend(format!("/{number}").bytes()),
    }
    bytes.extend_from_slice(choices.mostly(b" ", 3 * ODD, GAPS));
    bytes.extend_from_slice(choices.mostly(b"HTTP/1.1", ODD, VERSIONS));
    bytes
}
