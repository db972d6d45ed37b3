//! One route.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use http::Uri;
use serde_json::{Map, Value};

use super::paths::key_of;
use crate::fault::Restraint;

const LAST_ACTIVITY: &str = "last_activity";

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A target, what the hub attached to it, and when it was last used.
#[derive(Debug)]
pub struct Route {
    /// Its prefix, unescaped.
    pub prefix: String,
    /// Tells this route from every other, one of the same prefix or target before or after it too.
    pub id: u64,
    /// Whether the target asks for TLS, which is not spoken to targets.
    pub tls: bool,
    /// Host name or IP address of the target.
    pub host: String,
    /// Port of the target.
    pub port: u16,
    /// The target's address, where its host is an IP address.
    pub address: Option<SocketAddr>,
    /// Path of the target, put before that of every request; empty for none.
    pub base: String,
    /// Keeps what is said of its failures short.
    pub restraint: Restraint,
    data: Map<String, Value>,
    hub: bool,
    last_activity: AtomicI64,
}

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("Must specify 'target' as string")]
    Absent,
    #[error("'target' must be of the form http://HOST:PORT or https://HOST:PORT")]
    NotHttp,
}

impl Route {
    /// A route of `prefix` from the object that the API was given. Its activity is `last_activity` from there if `restored`,
    /// otherwise now.
    ///
    /// # Errors
    /// The object has no `target`, or one that is not a plain HTTP URL.
    pub fn new(
        prefix: &str,
        mut data: Map<String, Value>,
        restored: bool,
    ) -> Result<Self, TargetError> {
        let target = data
            .get("target")
            .and_then(Value::as_str)
            .ok_or(TargetError::Absent)?;
        let uri: Uri = target.parse().map_err(|_| TargetError::NotHttp)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err(TargetError::NotHttp);
        };
        let tls = scheme == "https";
        let host = authority.host();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() != host => return Err(TargetError::NotHttp),
            None if tls => 443,
            None => 80,
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_string();
        let base = uri.path().trim_end_matches('/').to_string();
        let before = data.shift_remove(LAST_ACTIVITY).filter(|_| restored);
        let before = before.as_ref().and_then(Value::as_str).and_then(parse_time);
        Ok(Self {
            prefix: key_of(prefix),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            tls,
            address: host
                .parse::<IpAddr>()
                .ok()
                .map(|ip| SocketAddr::new(ip, port)),
            host,
            port,
            base,
            restraint: Restraint::default(),
            hub: data.get("hub") == Some(&Value::Bool(true)),
            data,
            last_activity: AtomicI64::new(before.unwrap_or_else(now)),
        })
    }

    /// Notes that the route is in use.
    pub fn touch(&self) {
        // Threads that only read share what they read; each write would take it from all the others.
        let now = now();
        if self.last_activity() != now {
            self.last_activity.store(now, Ordering::Relaxed);
        }
    }

    /// Notes that the route was used at `time`, in milliseconds since 1970, unless it was since.
    pub fn touch_at(&self, time: i64) {
        self.last_activity.fetch_max(time, Ordering::Relaxed);
    }

    /// When the route was last used, in milliseconds since 1970.
    pub fn last_activity(&self) -> i64 {
        self.last_activity.load(Ordering::Relaxed)
    }

    /// Whether this is the hub's own route: JupyterHub marks it so.
    pub fn is_hub(&self) -> bool {
        self.hub
    }

    /// Whether both routes hold the same, their activity aside.
    pub fn same_data(&self, other: &Self) -> bool {
        self.data == other.data
    }

    /// The route as the API shows it: what it was given, and `last_activity`.
    pub fn to_json(&self) -> Value {
        let mut shown = self.data.clone();
        shown.insert(
            LAST_ACTIVITY.into(),
            Value::String(format_time(self.last_activity())),
        );
        Value::Object(shown)
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn format_time(milliseconds: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Milliseconds since 1970 of an ISO 8601 date, or date and time; without a zone it is UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    // In a query, the plus of a zone arrives as a space.
    let text = text
        .trim()
        .replacen(' ', "+", usize::from(text.contains('T')));
    let with_zone = DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_millis());
    with_zone
        .or_else(|_| {
            text.parse::<chrono::NaiveDateTime>()
                .map(|time| time.and_utc().timestamp_millis())
        })
        .or_else(|_| {
            let date = text.parse::<chrono::NaiveDate>()?;
            Ok::<_, chrono::ParseError>(
                date.and_time(chrono::NaiveTime::MIN)
                    .and_utc()
                    .timestamp_millis(),
            )
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(target: &str) -> Result<Route, TargetError> {
        let mut data = Map::new();
        data.insert("target".into(), target.into());
        Route::new("/", data, false)
    }

    #[test]
    fn targets_are_http_urls_with_a_host() {
        let plain = route("http://127.0.0.1:8081").unwrap();
        assert_eq!(
            (plain.address, plain.base.as_str()),
            (Some("127.0.0.1:8081".parse().unwrap()), "")
        );
        let six = route("http://[::1]:8081/base/").unwrap();
        assert_eq!(
            (six.address, six.base.as_str()),
            (Some("[::1]:8081".parse().unwrap()), "/base")
        );
        let named = route("http://node1").unwrap();
        assert_eq!(
            (named.host.as_str(), named.port, named.address),
            ("node1", 80, None)
        );
        let tls = route("https://node1").unwrap();
        assert!(tls.tls && tls.port == 443 && !named.tls);
        assert_ne!(tls.id, named.id);
        for bad in [
            "gopher://127.0.0.1:1",
            "127.0.0.1:1",
            "/x",
            "",
            "http://",
            "http://h:99999",
            "http://h:",
            "http://u@h",
        ] {
            assert!(route(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_every_form_that_the_hub_sends() {
        let expected = 1_577_934_245_000;
        for text in [
            "2020-01-02T03:04:05Z",
            "2020-01-02T03:04:05.000Z",
            "2020-01-02T04:04:05+01:00",
            "2020-01-02T04:04:05 01:00",
            "2020-01-02T03:04:05",
        ] {
            assert_eq!(parse_time(text), Some(expected), "{text}");
        }
        assert_eq!(parse_time("2020-01-02"), Some(1_577_923_200_000));
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(format_time(expected), "2020-01-02T03:04:05.000Z");
    }
}
