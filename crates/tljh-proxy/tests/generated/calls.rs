//! Calls of the REST API, and the table as it must be after each of them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::choices::Choices;

const METHODS: &[&str] = &[
    "POST", "GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "post", "Delete", "X-OWN",
];

/// What follows `/api/routes`, and the prefix that it means; none where it means nothing.
const PREFIXES: &[(&str, Option<&str>)] = &[
    ("/a", Some("/a")),
    ("/b/c", Some("/b/c")),
    ("", Some("/")),
    ("/", Some("/")),
    ("/a/", Some("/a")),
    ("/a//", Some("/a/")),
    ("//", Some("/")),
    ("///", Some("//")),
    ("/%61", Some("/a")),
    ("/%2F", Some("/")),
    ("/%2Fa%2F", Some("//a")),
    ("/a%2541", Some("/a%41")),
    ("/%", Some("/%")),
    ("/%zz", Some("/%zz")),
    ("/%C3%A9", Some("/é")),
    ("/a%00b", Some("/a\0b")),
    ("/a%0Ab", Some("/a\nb")),
    ("/a%3Fb", Some("/a?b")),
    ("/..", Some("/..")),
    ("/../a", Some("/../a")),
    ("/__proto__", Some("/__proto__")),
    ("/a+b", Some("/a+b")),
    ("/%FF", None),
    ("/a%C3", None),
];

const QUERIES: &[&str] = &["?", "?x=y", "?inactiveSince=", "?a&b&&=", "?%FF=%zz"];

const AUTHORIZATIONS: &[&str] = &[
    "",
    "Authorization:\r\n",
    "Authorization: token\r\n",
    "Authorization: token wrong\r\n",
    "Authorization: wrong TOKEN\r\n",
    "Authorization: token TOKENx\r\n",
    "Authorization: tokenTOKEN\r\n",
    "Authorization: token \u{e9}\r\n",
];

/// Targets, and whether they are any.
const TARGETS: &[(&str, bool)] = &[
    ("http://127.0.0.1:9", true),
    ("http://127.0.0.1:9/base/", true),
    ("https://h:9", true),
    ("http://[::1]:9", true),
    ("http://h", true),
    ("", false),
    ("127.0.0.1:9", false),
    ("/x", false),
    ("gopher://h:9", false),
    ("http+unix://%2Fx", false),
    ("http://", false),
    ("http://h:99999", false),
    ("http://h:9/ x", false),
    ("http://h\r\nx", false),
];

/// Bodies that tell no route.
const BAD_BODIES: &[&[u8]] = &[
    b"",
    b"{",
    b"null",
    b"[]",
    b"7",
    b"\"target\"",
    b"{}",
    b"{\"target\": null}",
    b"{\"target\": [\"http://h:9\"]}",
    b"{\"Target\": \"http://h:9\"}",
    b"{\"target\": \"http://h:9\"",
    b"{\"target\": \"http://h:9\"}x",
    b"{\"target\": \"http://h:9\", }",
    b"{'target': 'http://h:9'}",
    b"{\"target\": \"http://h:9\", \"x\": 1e999}",
    b"{\"target\": \"http://h:9\", \"x\": NaN}",
    b"{\"target\": \"http://h:9\", \"x\": \"\xff\"}",
    b"{\"target\": \"http://h:9\", \"x\": \"\\ud800\"}",
    b"\xef\xbb\xbf{\"target\": \"http://h:9\"}",
    b"{\"target\": \"http://h:9\\u0000\"}",
];

/// The table as it must be: what the API was told and has acknowledged.
pub type Table = BTreeMap<String, Map<String, Value>>;

/// The API, and where its routes are kept.
pub struct Api<'a> {
    pub port: u16,
    pub token: &'a str,
    pub file: &'a Path,
    pub patience: Duration,
}

impl Api<'_> {
    /// Makes the calls that the bytes choose, on a table that it empties before, and gives the table that there must be.
    ///
    /// # Errors
    /// An answer was not as it must be, or the table in memory or on disk is not.
    pub fn call_chosen(&self, bytes: &[u8]) -> Result<Table, String> {
        for prefix in self.list()?.keys() {
            let escaped = prefix.bytes().skip(1).map(|byte| format!("%{byte:02X}"));
            let mut path = format!("/{}", escaped.collect::<String>());
            if prefix.ends_with('/') {
                // Of two at the end, one counts.
                path.push('/');
            }
            let (status, _) = self.call("DELETE", &path, &self.right(), b"")?;
            if status != 204 {
                return Err(format!("{status} for the removal of {prefix:?}"));
            }
        }
        let mut choices = Choices::new(bytes);
        let mut table = Table::new();
        let mut said = String::new();
        for _ in 0..=choices.below(8) {
            self.make_call(&mut choices, &mut table, &mut said)
                .and_then(|()| self.check(&table))
                .map_err(|why| format!("{said}{why}"))?;
        }
        Ok(table)
    }

    /// Leads all requests to a port of this machine.
    pub fn lead_to(&self, port: u16) {
        let body = json!({"target": format!("http://127.0.0.1:{port}")}).to_string();
        let told = self.call("POST", "/", &self.right(), body.as_bytes());
        assert_eq!(told.unwrap().0, 201);
    }

    /// Compares the table in memory and on disk with what it must be.
    ///
    /// # Errors
    /// It is another.
    pub fn check(&self, table: &Table) -> Result<(), String> {
        let listed = self.list()?;
        if &listed != table {
            return Err(format!("listed: {listed:?}\nmust be: {table:?}"));
        }
        let kept = self.read_kept()?;
        if &kept != table {
            return Err(format!("on disk: {kept:?}\nmust be: {table:?}"));
        }
        Ok(())
    }

    /// What is on disk: all routes, and beside them a line for each change since.
    fn read_kept(&self) -> Result<Table, String> {
        let read = |file: &Path| std::fs::read_to_string(file).unwrap_or_default();
        let all = read(self.file);
        let mut kept = if all.is_empty() {
            Table::new()
        } else {
            routes(all.as_bytes())?
        };
        for line in read(&self.file.with_extension("journal")).lines().skip(1) {
            let change: BTreeMap<String, Value> =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            for (prefix, route) in change {
                kept.remove(&prefix);
                if let Some(route) = without_activity(route) {
                    kept.insert(prefix, route);
                }
            }
        }
        Ok(kept)
    }

    fn make_call(
        &self,
        choices: &mut Choices<'_>,
        table: &mut Table,
        said: &mut String,
    ) -> Result<(), String> {
        let method = METHODS[choices.of(&[0, 1, 2, 0, 2, 3, 4, 5, 6, 7, 8, 9])];
        let (path, prefix) = choices.of(PREFIXES);
        let query = choices.mostly("", 6, QUERIES);
        let right = self.right();
        let authorization = choices.mostly(&*right, 8, AUTHORIZATIONS);
        let authorization = authorization.replace("TOKEN", self.token);
        let (body, told) = body(choices);
        let body = if method == "POST" { body } else { Vec::new() };
        *said += &format!(
            "{method} {path}{query} {authorization:?} {}\n",
            body.escape_ascii()
        );
        let lists = matches!(path, "" | "/");
        let expected = match (method, prefix) {
            _ if authorization != right => 403,
            (_, None) => 400,
            ("GET", _) if lists => 200,
            (_, Some(prefix)) => change(method, prefix, told, table),
        };
        let (status, answer) =
            self.call(method, &format!("{path}{query}"), &authorization, &body)?;
        if status != expected {
            return Err(format!(
                "{status} in place of {expected}: {}",
                answer.escape_ascii()
            ));
        }
        if status == 200 && !lists {
            let one = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
            let known = prefix.and_then(|prefix| table.get(prefix));
            if without_activity(one).as_ref() != known {
                return Err(format!("shown: {}", answer.escape_ascii()));
            }
        }
        Ok(())
    }

    fn right(&self) -> String {
        format!("Authorization: token {}\r\n", self.token)
    }

    fn list(&self) -> Result<Table, String> {
        let (status, answer) = self.call("GET", "", &self.right(), b"")?;
        match status {
            200 => routes(&answer),
            _ => Err(format!("the list: {status}")),
        }
    }

    /// Status and body.
    fn call(
        &self,
        method: &str,
        path: &str,
        authorization: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), String> {
        let length = body.len();
        let head = format!(
            "{method} /api/routes{path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{authorization}Content-Length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(self.patience)).unwrap();
        let mut answer = Vec::new();
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .and_then(|()| stream.read_to_end(&mut answer))
            .map_err(|error| format!("no answer: {error}"))?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or("no whole answer")?;
        let status = answer
            .get(9..12)
            .and_then(|status| str::from_utf8(status).ok()?.parse().ok());
        Ok((status.ok_or("no status")?, answer.split_off(end + 4)))
    }
}

/// The status that a call for one route must get; changes the table as the call must.
fn change(method: &str, prefix: &str, told: Option<Map<String, Value>>, table: &mut Table) -> u16 {
    match (method, told) {
        ("GET", _) if table.contains_key(prefix) => 200,
        ("DELETE", _) if table.remove(prefix).is_some() => 204,
        ("GET" | "DELETE", _) => 404,
        ("POST", Some(data)) => {
            table.insert(prefix.into(), data);
            201
        }
        ("POST", None) => 400,
        _ => 405,
    }
}

/// A body, and the route that it tells.
fn body(choices: &mut Choices<'_>) -> (Vec<u8>, Option<Map<String, Value>>) {
    if choices.rarely(5) {
        return (choices.of(BAD_BODIES).to_vec(), None);
    }
    let (target, is_good) = choices.of(TARGETS);
    let mut data = Map::new();
    data.insert("target".into(), target.into());
    for _ in 0..choices.below(4) {
        let name = choices.of(&[
            "user",
            "hub",
            "jupyterhub",
            "é\n",
            "",
            "host",
            "__proto__",
            "last_activity",
        ]);
        let value = match choices.below(12) {
            0 => json!("a"),
            1 => json!(true),
            2 => json!(null),
            3 => json!({"x": [1, {"y": null}], "": ""}),
            4 => json!(-1),
            5 => json!(u64::MAX),
            6 => json!(i64::MIN),
            7 => json!(0.1),
            8 => json!(1e300),
            9 => json!("\u{0}\u{1f}\u{7f}\u{2028}\u{10ffff}\"\\"),
            10 => json!("x".repeat(5000)),
            // As deep as JSON is read at all.
            _ => (0..100).fold(json!(1), |inner, _| json!([inner])),
        };
        data.insert(name.into(), value);
    }
    let text = Value::Object(data.clone()).to_string().into_bytes();
    let told = is_good
        .then(|| without_activity(Value::Object(data)))
        .flatten();
    (text, told)
}

fn routes(text: &[u8]) -> Result<Table, String> {
    let routes: BTreeMap<String, Value> =
        serde_json::from_slice(text).map_err(|error| format!("the table: {error}"))?;
    let routes = routes.into_iter().map(|(prefix, route)| {
        let route = without_activity(route).ok_or("a route is no object")?;
        Ok((prefix, route))
    });
    routes.collect()
}

/// A route without when it was last used, which the proxy alone says.
fn without_activity(route: Value) -> Option<Map<String, Value>> {
    let Value::Object(mut route) = route else {
        return None;
    };
    route.remove("last_activity");
    Some(route)
}
