//! What can keep a certificate from coming, in plain words, and the one command that helps.

use std::fmt;
use std::io;
use std::path::PathBuf;

use instant_acme::Problem;

use super::ca::{Authority, root_of};
use super::order::Method;
use crate::tls::CertificateError;

/// More of what a CA writes than this is cut off, in characters.
const LONGEST_DETAIL: usize = 400;

/// One variant for each thing that can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    #[error("`{name}` has no address in DNS, so that the CA cannot find this machine")]
    NoAddress { name: String },
    #[error("the name servers do not answer when they are asked for `{name}`")]
    NoAnswerOfDns { name: String },
    #[error("there is no root certificate in `{path}` to know the CA by")]
    NoRoots { path: &'static str },
    #[error("the CA at `{host}` cannot be reached: {why}")]
    Unreachable {
        host: String,
        directory: String,
        why: String,
    },
    #[error("what `{host}` answers is not ACME: {why}")]
    NotAcme {
        host: String,
        directory: String,
        why: String,
    },
    #[error("{}", join(.0))]
    Validation(Vec<Refusal>),
    #[error("the CA offers neither HTTP-01 nor TLS-ALPN-01 for `{name}`")]
    NotOffered { name: String },
    #[error("the CA has refused because it was asked too often{0}")]
    AskedTooOften(Detail),
    #[error("the CA does not accept the e-mail address `{email}`{detail}")]
    Email { email: String, detail: Detail },
    #[error("the CA has no such account any more")]
    NoAccount,
    #[error("the CA gives no certificate for these names{0}")]
    Names(Detail),
    #[error("the CA has refused ({kind}){detail}")]
    Refused { kind: String, detail: Detail },
    #[error("the CA has not decided within {0} seconds")]
    Undecided(u64),
    #[error("the CA's certificate cannot be served: {0}")]
    Certificate(#[from] CertificateError),
    #[error("could not write `{}`: {source}", path.display())]
    Store { path: PathBuf, source: io::Error },
    #[error("could not make a key: {0}")]
    Local(String),
    #[error("the CA took too long")]
    TookTooLong,
}

/// Why a CA does not believe that a name is ours.
#[derive(Debug)]
pub struct Refusal {
    /// The name.
    pub name: String,
    /// How it was to be shown; `None` if the CA did not even look.
    pub method: Option<Method>,
    kind: String,
    detail: Detail,
}

/// What a CA writes, made safe to show; empty, or with a colon before it.
#[derive(Debug, Default)]
pub struct Detail(String);

impl Detail {
    fn new(text: Option<&str>) -> Self {
        // The text quotes what a stranger's server may have answered.
        let text: String = text
            .unwrap_or_default()
            .chars()
            .take(LONGEST_DETAIL)
            .collect();
        Self(
            text.escape_debug()
                .to_string()
                .replace("\\\"", "\"")
                .replace("\\'", "'"),
        )
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.0)
        }
    }
}

impl Refusal {
    /// What a CA found when it looked for `name`.
    pub fn new(name: &str, method: Option<Method>, problem: &Problem) -> Self {
        Self {
            name: name.into(),
            method,
            kind: kind_of(problem).into(),
            detail: Detail::new(problem.detail.as_deref()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, detail) = (&self.name, &self.detail);
        let port = self.method.map_or(80, Method::port);
        match self.kind.as_str() {
            "connection" => write!(
                f,
                "the CA could not connect to `{name}` on port {port}{detail}"
            ),
            "dns" => write!(f, "the CA found no address of `{name}`{detail}"),
            "tls" => write!(
                f,
                "the CA could not speak TLS with `{name}` on port {port}{detail}"
            ),
            "unauthorized" | "incorrectResponse" => {
                write!(
                    f,
                    "at `{name}`, port {port}, something else than this proxy answered the CA{detail}"
                )
            }
            "caa" => write!(
                f,
                "a CAA record in DNS forbids this CA to give a certificate for `{name}`{detail}"
            ),
            "rejectedIdentifier" => write!(f, "the CA gives no certificate for `{name}`{detail}"),
            kind => write!(f, "the CA has not accepted `{name}` ({kind}){detail}"),
        }
    }
}

impl AcmeError {
    /// An error of the protocol, with its object.
    pub fn new(error: instant_acme::Error, authority: &Authority, email: &str) -> Self {
        let (host, directory) = (authority.host(), authority.directory.clone());
        match error {
            instant_acme::Error::Api(problem) => Self::refused(&problem, email),
            instant_acme::Error::Other(error) => Self::Unreachable {
                host,
                directory,
                why: root_of(&*error),
            },
            instant_acme::Error::Timeout(_) => Self::Undecided(super::order::PATIENCE.as_secs()),
            instant_acme::Error::Crypto | instant_acme::Error::KeyRejected => {
                Self::Local(error.to_string())
            }
            error => Self::NotAcme {
                host,
                directory,
                why: Detail::new(Some(&error.to_string())).0,
            },
        }
    }

    fn refused(problem: &Problem, email: &str) -> Self {
        let detail = Detail::new(problem.detail.as_deref());
        let named = problem.subproblems.iter().filter_map(|part| {
            let name = part.identifier.as_ref()?.authorized(false).to_string();
            let problem = Problem {
                r#type: part.r#type.clone(),
                detail: part.detail.clone(),
                status: None,
                subproblems: Vec::new(),
            };
            Some(Refusal::new(&name, None, &problem))
        });
        match kind_of(problem) {
            "rateLimited" => Self::AskedTooOften(detail),
            "accountDoesNotExist" => Self::NoAccount,
            "invalidContact" | "unsupportedContact" => Self::Email {
                email: email.into(),
                detail,
            },
            kind => {
                let named: Vec<Refusal> = named.collect();
                match kind {
                    _ if !named.is_empty() => Self::Validation(named),
                    "rejectedIdentifier" => Self::Names(detail),
                    kind => Self::Refused {
                        kind: Detail::new(Some(kind)).0,
                        detail,
                    },
                }
            }
        }
    }

    /// One command that helps.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoAddress { name } => format!(
                "enter this machine's address for `{name}` in DNS, then see `getent ahosts {name}`"
            ),
            Self::NoAnswerOfDns { name } => format!("run `getent ahosts {name}`"),
            Self::NoRoots { .. } => "run `sudo apt install ca-certificates`".into(),
            Self::Unreachable { directory, .. } | Self::NotAcme { directory, .. } => {
                format!("run `curl -sS {directory}` on this machine")
            }
            Self::Names(_) => "run `sudo tljh-config show https.letsencrypt.domains`".into(),
            Self::Validation(refusals) => return refusals.first().map(hint_for),
            Self::AskedTooOften(_) => {
                "wait; while trying things out, run `sudo tljh-config set https.letsencrypt.staging true`".into()
            }
            Self::Email { .. } => {
                "run `sudo tljh-config set https.letsencrypt.email NAME@EXAMPLE.ORG`".into()
            }
            Self::Store { path, .. } => {
                format!("run `df -h {}`", path.parent().unwrap_or(path).display())
            }
            _ => return None,
        })
    }
}

fn hint_for(refusal: &Refusal) -> String {
    let name = &refusal.name;
    match refusal.kind.as_str() {
        "connection" | "tls" => format!(
            "open ports 80 and 443 in every firewall between the internet and this machine, then run \
             `curl -I http://{name}/` from elsewhere"
        ),
        "unauthorized" | "incorrectResponse" | "dns" => {
            format!("compare `getent ahosts {name}` with this machine's public address")
        }
        "caa" => format!("run `dig CAA {name}`"),
        _ => "run `sudo tljh-config show https.letsencrypt.domains`".into(),
    }
}

fn kind_of(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or("without a reason");
    kind.strip_prefix("urn:ietf:params:acme:error:")
        .unwrap_or(kind)
}

fn join(refusals: &[Refusal]) -> String {
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    refusals.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str) -> Problem {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        serde_json::from_value(serde_json::json!({"type": kind, "detail": detail})).unwrap()
    }

    #[test]
    fn what_a_ca_finds_is_told_in_plain_words_with_a_command() {
        for (kind, words, hint) in [
            (
                "connection",
                "could not connect to `h.org` on port 443: why",
                "curl -I http://h.org/",
            ),
            (
                "dns",
                "found no address of `h.org`: why",
                "getent ahosts h.org",
            ),
            (
                "unauthorized",
                "something else than this proxy answered the CA: why",
                "getent ahosts h.org",
            ),
            ("caa", "a CAA record in DNS forbids", "dig CAA h.org"),
            (
                "odd",
                "has not accepted `h.org` (odd): why",
                "tljh-config show",
            ),
        ] {
            let refusal = Refusal::new("h.org", Some(Method::TlsAlpn), &problem(kind, "why"));
            let error = AcmeError::Validation(vec![refusal]);
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{kind}");
        }
    }

    #[test]
    fn what_a_stranger_answers_cannot_write_on_the_terminal() {
        let detail = format!("got \"\u{1b}[2J\n{}\"", "x".repeat(1_000));
        let refusal = Refusal::new("h", None, &problem("unauthorized", &detail)).to_string();
        assert!(refusal.contains("got \"\\u{1b}[2J\\n"), "{refusal}");
        assert!(refusal.len() < 600 && !refusal.contains('\u{1b}'));
    }

    #[test]
    fn refusals_of_an_order_name_what_they_are_about() {
        let order: Problem = serde_json::from_value(serde_json::json!({
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "all",
            "subproblems": [{
                "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                "detail": "on the list",
                "identifier": {"type": "dns", "value": "bad.org"},
            }],
        }))
        .unwrap();
        let error = AcmeError::refused(&order, "");
        assert_eq!(
            error.to_string(),
            "the CA gives no certificate for `bad.org`: on the list"
        );
        let limited = AcmeError::refused(&problem("rateLimited", "5 per hour"), "");
        assert!(limited.to_string().ends_with("asked too often: 5 per hour"));
    }
}
