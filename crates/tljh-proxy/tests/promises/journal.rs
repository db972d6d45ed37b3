//! What the journal gets, by its own protocol, from a proxy whose standard error is the journal. The test stands where
//! systemd-journald does, in a mount namespace of the proxy's own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::backend::Backend;
use crate::client::request;
use crate::proxy::{DEADLINE, TOKEN, command, free_port};

/// Has what follows find the first argument at the journal's place.
const ENTER: &str = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
    ln -s \"$0\" /run/systemd/journal/socket && exec \"$@\"";

type Entry = BTreeMap<String, String>;

struct Journaled {
    port: u16,
    api_port: u16,
    child: Child,
    journal: UnixDatagram,
    standard_error: UnixStream,
    _folder: TempDir,
}

impl Journaled {
    fn start(is_journal: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("journal");
        let journal = UnixDatagram::bind(&socket).unwrap();
        journal.set_read_timeout(Some(DEADLINE)).unwrap();
        let (port, api_port) = (free_port(), free_port());
        let plain = command(&folder, port, api_port);
        let (standard_error, other) = UnixStream::pair().unwrap();
        standard_error.set_read_timeout(Some(DEADLINE)).unwrap();
        let other = OwnedFd::from(other);
        let seen = rustix::fs::fstat(&other).unwrap();
        let inode = if is_journal { seen.st_ino } else { 1 };
        let child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", ENTER])
            .arg(&socket)
            .arg(plain.get_program())
            .args(plain.get_args())
            .arg("-vv")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("JOURNAL_STREAM", format!("{}:{inode}", seen.st_dev))
            .env("RUST_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(other)
            .spawn()
            .unwrap();
        Self {
            port,
            api_port,
            child,
            journal,
            standard_error,
            _folder: folder,
        }
    }

    /// The next entry, and what came before, until one of them is `wanted`.
    fn until(&self, entries: &mut Vec<Entry>, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = self.journal.recv(&mut buffer);
            let read = read.unwrap_or_else(|error| panic!("{error}, after {entries:#?}"));
            let entry = parse(&buffer[..read]);
            entries.push(entry.clone());
            if wanted(&entry) {
                return entry;
            }
        }
    }

    fn add_route(&self, prefix: &str, port: u16) {
        let body = json!({"target": format!("http://127.0.0.1:{port}")}).to_string();
        let head = format!(
            "POST /api/routes{prefix} HTTP/1.1\r\nHost: api\r\nAuthorization: token {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(request(self.api_port, head.as_bytes()).status, 201);
    }

    /// Ends it, and gives what it wrote to standard error.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut text = String::new();
        self.standard_error.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Journaled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields of a datagram: `NAME=value`, or the name, the length in eight bytes, and the value.
fn parse(mut datagram: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while let Some(end) = datagram.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&datagram[..end], &datagram[end + 1..]);
        let (name, value) = if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            datagram = rest;
            (&line[..equals], &line[equals + 1..])
        } else {
            let (length, rest) = rest.split_at(8);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            datagram = &rest[length + 1..];
            (line, &rest[..length])
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        entry.insert(text(name), text(value));
    }
    entry
}

fn has(entry: &Entry, fields: &[(&str, &str)]) -> bool {
    fields
        .iter()
        .all(|(name, value)| entry.get(*name).is_some_and(|is| is == value))
}

#[test]
fn entries_say_who_caused_them_and_hold_no_secret() {
    let proxy = Journaled::start(true);
    let mut seen = Vec::new();
    let serving = |entry: &Entry| {
        entry
            .get("MESSAGE")
            .is_some_and(|text| text.starts_with("serving on"))
    };
    let serving = proxy.until(&mut seen, serving);
    assert!(
        has(
            &serving,
            &[("PRIORITY", "6"), ("SYSLOG_IDENTIFIER", "tljh-proxy")]
        ),
        "{serving:?}"
    );
    assert!(!serving.contains_key("TLJH_CAUSE"));

    let dead = free_port();
    proxy.add_route("/user/a", dead);
    let bad = Backend::start(|_, stream| {
        let _ = stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\r\nbad header s3cret\r\n\r\n");
        false
    });
    proxy.add_route("/user/b%0Aforged", bad.port);
    let cut = Backend::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
        stream.get_mut().write_all(head).unwrap();
        false
    });
    proxy.add_route("/user/c", cut.port);
    let secrets = "Host: h\r\nCookie: s3cret\r\nAuthorization: token s3cret\r\n\r\n";
    let ask = |start: &str| request(proxy.port, format!("{start}\r\n{secrets}").as_bytes()).status;

    assert_eq!(ask("GET /user/a/x?token=s3cret HTTP/1.1"), 503);
    let caused = |entry: &Entry| entry.contains_key("TLJH_REASON");
    let failed = proxy.until(&mut seen, caused);
    let upstream = format!("127.0.0.1:{dead}");
    let fields = [
        ("PRIORITY", "4"),
        ("TLJH_CAUSE", "upstream"),
        ("TLJH_REASON", "connect"),
        ("TLJH_ROUTE", "/user/a"),
        ("TLJH_UPSTREAM", &upstream),
        ("TLJH_STATUS", "503"),
    ];
    assert!(has(&failed, &fields), "{failed:?}");
    assert!(
        failed["MESSAGE"].starts_with("GET /user/a/x from 127.0.0.1: backend"),
        "{failed:?}"
    );

    assert_eq!(ask("GET /user/b%0Aforged/x?token=s3cret HTTP/1.1"), 503);
    let failed = proxy.until(&mut seen, caused);
    let fields = [
        ("TLJH_REASON", "invalid_answer"),
        ("TLJH_ROUTE", "/user/b\\nforged"),
    ];
    assert!(has(&failed, &fields), "{failed:?}");

    let mut client = crate::client::Connection::open(proxy.port);
    client.send(b"GET /user/c HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    let failed = proxy.until(&mut seen, caused);
    let fields = [
        ("PRIORITY", "4"),
        ("TLJH_REASON", "broken_answer"),
        ("TLJH_STATUS", "200"),
    ];
    assert!(has(&failed, &fields), "{failed:?}");

    assert_eq!(ask("GET /user/a/x HTTP/1.1\r\nHost: s3cret"), 400);
    let failed = proxy.until(&mut seen, caused);
    let fields = [
        ("PRIORITY", "7"),
        ("TLJH_CAUSE", "client"),
        ("TLJH_STATUS", "400"),
    ];
    assert!(has(&failed, &fields), "{failed:?}");

    for entry in &seen {
        let text = format!("{entry:?}");
        assert!(!text.contains("s3cret") && !text.contains(TOKEN), "{text}");
    }
    assert_eq!(proxy.end(), "", "nothing is said twice");
}

#[test]
fn standard_error_that_is_not_the_journal_gets_plain_text() {
    let proxy = Journaled::start(false);
    let mut said = String::new();
    while !said.contains("serving on") {
        let mut part = [0; 4096];
        let read = (&proxy.standard_error).read(&mut part).unwrap();
        assert!(read > 0, "{said}");
        said += &String::from_utf8_lossy(&part[..read]);
    }
    assert!(!said.contains("<6>"), "{said}");
    proxy.journal.set_nonblocking(true).unwrap();
    assert!(proxy.journal.recv(&mut [0]).is_err());
}
