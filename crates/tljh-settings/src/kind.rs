//! The types of values: what each accepts, from a file and from a command line.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::place::Step;

mod flaw;

pub use flaw::Flaw;

/// The smallest memory limit: below it no server starts, and `512` for `512M` is caught.
pub(crate) const SMALLEST_MEMORY: u64 = 1 << 20;
/// The longest path of a socket: `sun_path` in unix(7) has a byte more.
pub(crate) const LONGEST_SOCKET: usize = 107;
/// Where the hub and the proxy's API listen on the loopback address (`tljh_machine::services`).
pub(crate) const TAKEN_PORTS: [u64; 2] = [15001, 15002];

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text, not empty.
    Text,
    /// Path part of a URL, made to begin and end with a slash.
    UrlPath,
    /// `true` or `false`.
    Switch,
    /// Whole number within the limits, both included.
    Integer(u64, u64),
    /// TCP port, 1 to 65535.
    Port,
    /// IP address to listen on, or empty for all.
    Address,
    /// Absolute path of a file, or empty for none.
    File,
    /// Absolute path of a socket, or empty for none.
    Socket,
    /// Unix group.
    Group,
    /// List of IP addresses and networks.
    Networks,
    /// List of conda channels.
    Channels,
    /// E-mail address, or empty for none.
    Email,
    /// URL with https, or empty for none.
    Url,
    /// List of host names.
    Domains,
    /// List of names of hub users.
    Names,
    /// Mapping from Unix group to a list of names of hub users.
    Groups,
    /// Bytes, as a whole number or with a suffix K, M, G or T.
    Memory,
    /// Processor cores, more than 0.
    Cores,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Anything.
    Json,
}

/// A value as its kind reads it, or all that is wrong with it.
pub type Reading = Result<Value, Vec<Flaw>>;

/// Bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(u64);

impl Memory {
    /// The amount in bytes; at least one mebibyte.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Reads JupyterHub's notation: a number and K, M, G or T (powers of 1024), or plain bytes.
    fn parse(text: &str) -> Option<u64> {
        let shift = match text.chars().last()? {
            'K' => 10,
            'M' => 20,
            'G' => 30,
            'T' => 40,
            _ => 0,
        };
        let number = if shift == 0 {
            text
        } else {
            &text[..text.len() - 1]
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        if digits && let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(1 << shift);
        }
        let plain = shift > 0
            && number
                .chars()
                .all(|character| character.is_ascii_digit() || character == '.');
        let amount = number.parse::<f64>().ok().filter(|_| plain)?;
        let bytes = amount * (1u64 << shift) as f64;
        // The fraction of a byte does not count, as in JupyterHub.
        (bytes < u64::MAX as f64).then_some(bytes as u64)
    }
}

impl Kind {
    /// A word or two for tables and messages.
    pub fn describe(self) -> String {
        match self {
            Self::Text => "text".to_string(),
            Self::UrlPath => "URL path".to_string(),
            Self::Switch => "true or false".to_string(),
            Self::Integer(low, _) => format!("whole number, at least {low}"),
            Self::Port => "port, 1 to 65535".to_string(),
            Self::Address => "IP address, or empty for all".to_string(),
            Self::File => "absolute path".to_string(),
            Self::Socket => "absolute path, or empty for none".to_string(),
            Self::Group => "Unix group".to_string(),
            Self::Networks => "list of IP addresses and networks".to_string(),
            Self::Channels => "list of conda channels".to_string(),
            Self::Email => "e-mail address".to_string(),
            Self::Url => "https URL".to_string(),
            Self::Domains => "list of host names".to_string(),
            Self::Names => "list of user names".to_string(),
            Self::Groups => "group: list of user names".to_string(),
            Self::Memory => "bytes, or a number with K, M, G, T".to_string(),
            Self::Cores => "number above 0".to_string(),
            Self::Choice(words) => words.join(" or "),
            Self::Json => "any".to_string(),
        }
    }

    /// Whether a value of this kind is a list.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Self::Names | Self::Domains | Self::Networks | Self::Channels
        )
    }

    /// Checks a value from a file and brings it into the one form that [`crate::Settings`] holds.
    ///
    /// # Errors
    /// The place below the key and what is wrong there.
    pub fn read(self, value: &Value) -> Reading {
        match self {
            Self::Names => read_list(value, read_name),
            Self::Domains => read_list(value, read_domain),
            Self::Networks => read_list(value, read_network),
            Self::Channels => read_list(value, read_channel),
            Self::Groups => read_groups(value),
            _ => self.read_scalar(value).map_err(|flaw| vec![flaw]),
        }
    }

    fn read_scalar(self, value: &Value) -> Result<Value, Flaw> {
        if self == Self::Port
            && value
                .as_u64()
                .is_some_and(|port| TAKEN_PORTS.contains(&port))
        {
            return Err(Flaw::of(
                value,
                "another port than those of the hub and the proxy's API",
            ));
        }
        let accepted = match (self, value) {
            (Self::Json, _) => Some(value.clone()),
            (Self::Switch, Value::Bool(_)) => Some(value.clone()),
            (Self::Integer(low, high), _) => value
                .as_u64()
                .filter(|number| (low..=high).contains(number))
                .map(Value::from),
            (Self::Port, _) => value
                .as_u64()
                .filter(|port| (1..=65535).contains(port))
                .map(Value::from),
            (Self::Cores, _) => value
                .as_f64()
                .filter(|cores| (0.01..=65536.0).contains(cores))
                .map(Value::from),
            (Self::Memory, Value::Number(number)) => number
                .as_u64()
                .filter(|bytes| *bytes >= SMALLEST_MEMORY)
                .map(Value::from),
            (Self::Memory, Value::String(text)) => Memory::parse(text)
                .filter(|bytes| *bytes >= SMALLEST_MEMORY)
                .map(Value::from),
            // A number in the place of text is what the admin typed; one that would read back differently is text already.
            (Self::Text, Value::Number(number)) => Some(number.to_string().into()),
            (_, Value::String(text)) => self.read_text(text).map(Value::String),
            _ => None,
        };
        accepted.ok_or_else(|| Flaw::of(value, &self.wanted()))
    }

    fn read_text(self, text: &str) -> Option<String> {
        let fits = match self {
            Self::Text => !text.is_empty(),
            Self::UrlPath => return normal_url_path(text),
            Self::Address => text.is_empty() || text.parse::<IpAddr>().is_ok(),
            Self::File => text.is_empty() || text.starts_with('/'),
            Self::Socket => text.is_empty() || is_socket_path(text),
            Self::Group => is_group_name(text),
            Self::Email => text.is_empty() || is_email(text),
            Self::Url => text.is_empty() || is_https_url(text),
            Self::Choice(words) => words.contains(&text),
            _ => false,
        };
        fits.then(|| text.to_string())
    }

    fn wanted(self) -> String {
        match self {
            Self::Text => "text".to_string(),
            Self::UrlPath => "the path part of a URL, such as `/jupyter/`".to_string(),
            Self::Switch => "`true` or `false`".to_string(),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Port => "a port from 1 to 65535".to_string(),
            Self::Address => "an IP address, or nothing for all addresses".to_string(),
            Self::File => "an absolute path".to_string(),
            Self::Socket => format!(
                "an absolute path of letters, digits and `._-`, at most {LONGEST_SOCKET} characters"
            ),
            Self::Group => "a name of a Unix group".to_string(),
            Self::Email => "an e-mail address".to_string(),
            Self::Url => "a URL that begins with `https://`".to_string(),
            Self::Memory => {
                "an amount such as `512M` or `2G`, or a whole number of bytes, at least 1M"
                    .to_string()
            }
            Self::Cores => "a number of cores, at least 0.01".to_string(),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(" or ")
            }
            Self::Domains
            | Self::Names
            | Self::Networks
            | Self::Channels
            | Self::Groups
            | Self::Json => self.describe(),
        }
    }

    /// The value that a word on the command line stands for.
    ///
    /// The kind decides where it can; otherwise upstream's rule does: `none` is null, digits are a whole
    /// number, digits with a point are a number, `true` and `false` in any case are switches, the rest is
    /// text.
    pub fn parse_word(self, word: &str) -> Value {
        let guess = guess_word(word);
        match self {
            Self::Json => guess,
            // `.5` is text by upstream's rule.
            Self::Cores if word.starts_with('.') => guess_word(&format!("0{word}"))
                .as_f64()
                .map_or(guess, Value::from),
            Self::Names | Self::Domains | Self::Networks | Self::Channels | Self::Groups
                if !guess.is_null() =>
            {
                word.into()
            }
            Self::Text
            | Self::UrlPath
            | Self::Address
            | Self::File
            | Self::Socket
            | Self::Group
            | Self::Email
            | Self::Url
            | Self::Choice(_)
                if !guess.is_null() =>
            {
                word.into()
            }
            _ => guess,
        }
    }
}

fn is_https_url(text: &str) -> bool {
    text.strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Upstream's rule for a word of unknown type (`tljh/config.py`, `parse_value`).
fn guess_word(word: &str) -> Value {
    let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    let number = match word.split_once('.') {
        None if !word.is_empty() && digits(word) => word.parse::<u64>().ok().map(Value::from),
        Some((whole, fraction)) if !whole.is_empty() && digits(whole) && digits(fraction) => {
            word.parse::<f64>().ok().map(Value::from)
        }
        _ => None,
    };
    number.unwrap_or_else(|| match word.to_ascii_lowercase().as_str() {
        "none" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => word.into(),
    })
}

fn read_list(value: &Value, read: impl Fn(&Value) -> Result<Value, Flaw>) -> Reading {
    let Value::Array(items) = value else {
        return Err(vec![Flaw::of(value, "a list")]);
    };
    let mut flaws = Vec::new();
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match read(item) {
            Ok(item) => list.push(item),
            Err(flaw) => flaws.push(flaw.below(Step::Index(index))),
        }
    }
    if flaws.is_empty() {
        Ok(Value::Array(list))
    } else {
        Err(flaws)
    }
}

fn read_name(value: &Value) -> Result<Value, Flaw> {
    match value {
        Value::String(name) if name.trim() != name => {
            Err(Flaw::of(value, "a user name without spaces around it"))
        }
        Value::String(name) if !name.is_empty() && !name.chars().any(char::is_control) => {
            Ok(value.clone())
        }
        Value::Number(number) => Ok(number.to_string().into()),
        Value::Bool(_) => Err(Flaw::of(
            value,
            &format!("a user name; put it in quotes: \"{value}\""),
        )),
        _ => Err(Flaw::of(value, "a user name")),
    }
}

fn read_domain(value: &Value) -> Result<Value, Flaw> {
    match value {
        Value::String(text) if is_host_name(text) => Ok(text.to_ascii_lowercase().into()),
        Value::String(text) if !text.is_ascii() => Err(Flaw::of(
            value,
            "its ASCII form, which begins with `xn--` (punycode)",
        )),
        _ => Err(Flaw::of(value, "a host name such as `hub.example.org`")),
    }
}

fn read_network(value: &Value) -> Result<Value, Flaw> {
    let wanted = "an IP address or a network such as `192.0.2.0/24`";
    match value {
        Value::String(text) if text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok() => {
            Ok(value.clone())
        }
        _ => Err(Flaw::of(value, wanted)),
    }
}

fn read_channel(value: &Value) -> Result<Value, Flaw> {
    let wanted = "a channel such as `conda-forge`, or its URL without a password";
    match value {
        Value::String(text) if is_channel(text) => Ok(value.clone()),
        _ => Err(Flaw::of(value, wanted)),
    }
}

fn is_channel(text: &str) -> bool {
    let address = ["https://", "http://", "file:///"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if let Some(rest) = address {
        // Who may read the configuration is not who may know a password.
        return !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'@');
    }
    text.split('/').all(|part| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

fn read_groups(value: &Value) -> Reading {
    let Value::Object(groups) = value else {
        return Err(vec![Flaw::of(
            value,
            "a mapping from groups to lists of users",
        )]);
    };
    let mut read = serde_json::Map::new();
    let mut flaws = Vec::new();
    for (group, members) in groups {
        let below = |flaw: Flaw| flaw.below(Step::Name(group.clone()));
        if !is_group_name(group) {
            let mut flaw = below(Flaw::of(&group.as_str().into(), "a name of a Unix group"));
            flaw.in_name = true;
            flaws.push(flaw);
            continue;
        }
        let members = match members {
            Value::Null => continue,
            // Upstream's documentation made people store one name as text; it can only mean this.
            Value::String(_) | Value::Number(_) => &Value::Array(vec![members.clone()]),
            other => other,
        };
        match read_list(members, read_name) {
            Ok(members) => drop(read.insert(group.clone(), members)),
            Err(inner) => flaws.extend(inner.into_iter().map(below)),
        }
    }
    if flaws.is_empty() {
        Ok(Value::Object(read))
    } else {
        Err(flaws)
    }
}

/// Whether neither /etc/group nor a command line would take it for something else (group(5)).
fn is_group_name(text: &str) -> bool {
    let unfit = |character: char| character.is_control() || ":,/".contains(character);
    !text.is_empty() && !text.starts_with('-') && !text.contains(unfit)
}

/// Whether every program that is told this path understands the same by it, quoted or not.
fn is_socket_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    text.starts_with('/')
        && !text.ends_with('/')
        && text.len() <= LONGEST_SOCKET
        && text.bytes().all(plain)
}

fn normal_url_path(text: &str) -> Option<String> {
    let trimmed = text.trim_matches('/');
    let plain =
        |character: char| character.is_ascii_graphic() && !"?#\\\"<>{}%".contains(character);
    let segments_fit = trimmed
        .split('/')
        .all(|segment| !matches!(segment, "." | "..") && segment.chars().all(plain));
    if !segments_fit || trimmed.contains("//") || trimmed.contains("://") {
        return None;
    }
    Some(if trimmed.is_empty() {
        "/".to_string()
    } else {
        format!("/{trimmed}/")
    })
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    text.len() <= 253 && text.parse::<IpAddr>().is_err() && text.split('.').all(label)
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && local
                .chars()
                .all(|character| character.is_ascii_graphic() && character != '@')
            && is_host_name(host)
    })
}

#[cfg(test)]
mod tests;
