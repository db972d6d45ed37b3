//! The same bytes to nginx and to the proxy, and what the backends behind them saw.

use std::fmt::{self, Display, Formatter};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::choices::Choices;
use super::nginx::Nginx;
use super::recorder::{Recorder, Seen, Unclear};
use super::requests::requests;

/// Behind whatever came before: a request that ends the connection, and what ends every body and no server takes for a
/// request. So the end of a connection shows that all before it is done with.
fn tail() -> Vec<u8> {
    let last = b"GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    [last.as_slice(), &[1; 4096], b"\r\n\r\n"].concat()
}

/// The requests that the bytes choose.
pub fn chosen(bytes: &[u8]) -> Vec<u8> {
    requests(&mut Choices::new(bytes))
}

/// A proxy in front of a backend of its own.
pub struct Side {
    port: u16,
    behind: Recorder,
    /// How long the end of a connection is waited for.
    patience: Duration,
}

/// nginx and the proxy.
pub struct Sides {
    theirs: Side,
    ours: Side,
    _nginx: Nginx,
}

/// What one side made of the bytes.
struct Made {
    seen: Vec<Result<Seen, Unclear>>,
    /// For people to read.
    statuses: Vec<String>,
}

/// How a case went, for who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The same requests came through.
    Same,
    /// The proxy refused what nginx passed on.
    Stricter,
    /// The proxy passed on what nginx refused, for a reason that is known.
    Laxer(&'static str),
    /// A side waits for more: nothing can be said.
    Waits,
}

impl Side {
    /// `start` is given the port of the backend, and gives that of the proxy in front of it.
    pub fn start(patience: Duration, start: impl FnOnce(u16) -> u16) -> Self {
        let behind = Recorder::start();
        Self {
            port: start(behind.port),
            behind,
            patience,
        }
    }

    /// Whether all that comes through of these bytes is clear.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let made = self.send(&[bytes, &tail()].concat());
        let seen = made.map_or(Vec::new(), |made| made.seen);
        match seen.iter().find_map(|seen| seen.as_ref().err()) {
            None => Ok(()),
            Some(head) => Err(format!(
                "sent: {}\nunclear: {}",
                bytes.escape_ascii(),
                head.escape_ascii()
            )),
        }
    }

    /// Sends, and waits for the end of the connection; nothing if that does not come.
    fn send(&self, bytes: &[u8]) -> Option<Made> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(self.patience)).unwrap();
        stream.set_write_timeout(Some(self.patience)).unwrap();
        // It may be refused and closed before all is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        loop {
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(_) => return None,
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        let statuses = answer
            .match_indices("HTTP/1.1 ")
            .filter_map(|(at, found)| answer.get(at + found.len()..at + found.len() + 3))
            .map(Into::into)
            .collect();
        Some(Made {
            seen: self.behind.take(),
            statuses,
        })
    }
}

impl Sides {
    /// `start` is given the port of the backend, and gives that of the proxy in front of it.
    pub fn start(patience: Duration, start: impl FnOnce(u16) -> u16) -> Self {
        let mut nginx = None;
        let theirs = Side::start(patience, |backend| nginx.insert(Nginx::start(backend)).port);
        Self {
            theirs,
            ours: Side::start(patience, start),
            _nginx: nginx.unwrap(),
        }
    }

    /// Sends the bytes to both.
    ///
    /// # Errors
    /// The proxy let something through that it must not.
    pub fn compare(&self, bytes: &[u8]) -> Result<Outcome, String> {
        let sent = [bytes, &tail()].concat();
        let (theirs, ours) = (self.theirs.send(&sent), self.ours.send(&sent));
        let (Some(theirs), Some(ours)) = (theirs, ours) else {
            return Ok(Outcome::Waits);
        };
        judge(bytes, &theirs, &ours).map_err(|what| {
            format!(
                "{what}\nsent: {}\nnginx: {theirs}\nproxy: {ours}",
                bytes.escape_ascii()
            )
        })
    }
}

impl Display for Made {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.statuses.join(" "))?;
        for seen in &self.seen {
            match seen {
                Ok(seen) => write!(
                    f,
                    "\n  {} {} host `{}` body `{}`",
                    seen.method,
                    seen.target.escape_ascii(),
                    seen.host.escape_ascii(),
                    seen.body.escape_ascii()
                ),
                Err(head) => write!(f, "\n  unclear: {}", head.escape_ascii()),
            }?;
        }
        Ok(())
    }
}

fn judge(sent: &[u8], theirs: &Made, ours: &Made) -> Result<Outcome, String> {
    for (place, seen) in ours.seen.iter().enumerate() {
        let seen = seen
            .as_ref()
            .map_err(|_| "the proxy sent what is not clear")?;
        let Some(other) = theirs.seen.get(place) else {
            let reason =
                known_reason(seen, sent).ok_or("the proxy passed on what nginx refused")?;
            return Ok(Outcome::Laxer(reason));
        };
        let other = other
            .as_ref()
            .map_err(|_| "the proxy passed on what nginx made unclear")?;
        if (&seen.method, &seen.target, &seen.body) != (&other.method, &other.target, &other.body) {
            return Err("both passed on different requests".into());
        }
        if !other.host.is_empty() && name_of(&seen.host) != other.host {
            return Err("both passed on different hosts".into());
        }
    }
    Ok(if ours.seen.len() == theirs.seen.len() {
        Outcome::Same
    } else {
        Outcome::Stricter
    })
}

/// The host without its port and a dot at its end, as nginx passes it on.
fn name_of(host: &[u8]) -> Vec<u8> {
    let end = match host.iter().position(|byte| *byte == b']') {
        Some(end) => end + 1,
        None => host
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(host.len()),
    };
    let name = &host[..end];
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

/// Why a request may come through that nginx refuses.
fn known_reason(seen: &Seen, sent: &[u8]) -> Option<&'static str> {
    let is_of_nginx = |byte: u8| byte.is_ascii_uppercase() || b"_-".contains(&byte);
    let path = seen.target.split(|byte| *byte == b'?').next().unwrap();
    if !seen.method.bytes().all(is_of_nginx) {
        // RFC 9110, section 9.1: a token. The server knows its methods.
        Some("a method of other characters")
    } else if seen.target == b"*" {
        Some("OPTIONS *")
    } else if has_odd_escape(path) {
        // The server gets the path as it came, and says what it thinks of it.
        Some("% without an escape, or an escaped NUL")
    } else if climbs(path) {
        // Likewise. Whose server it is was decided by the path as it came.
        Some("a path above the root")
    } else if lines(sent).any(|line| line.contains(&b'\t')) {
        // RFC 9110, section 5.5: white space, which is left out around a value.
        Some("a tab beside a value")
    } else if lines(sent)
        .filter(|line| line.starts_with(b"expect:"))
        .count()
        > 1
    {
        // The servers behind take no notice of it.
        Some("Expect twice")
    } else {
        None
    }
}

fn has_odd_escape(path: &[u8]) -> bool {
    let is_odd = |rest: &[u8]| match rest {
        [b'%', b'0', b'0', ..] => true,
        [b'%', one, other, ..] => !one.is_ascii_hexdigit() || !other.is_ascii_hexdigit(),
        [first, ..] => *first == b'%',
        [] => false,
    };
    (0..path.len()).any(|at| is_odd(&path[at..]))
}

fn climbs(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path).replace("%2e", ".");
    let mut depth = 0;
    for segment in path.split('/').skip(1) {
        depth += match segment {
            ".." => -1,
            "." | "" => 0,
            _ => 1,
        };
        if depth < 0 {
            return true;
        }
    }
    false
}

/// Lines in lower case.
fn lines(sent: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let lines = sent.split(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_ascii_lowercase)
}
