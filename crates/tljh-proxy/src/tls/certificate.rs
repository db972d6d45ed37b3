//! A certificate with its key, and what people want to know of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::clock::{self, DAY};

/// Fewer days of life than this are worth a warning every day.
const SOON: i64 = 20;

/// Why a certificate cannot be served. Never quotes what the files hold.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    #[error("there is no private key in PEM form")]
    NoKey,
    #[error("the certificate is not one of X.509")]
    Malformed,
    #[error("the private key is not that of the certificate")]
    OtherKey,
    #[error("the private key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// What can be served.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// What TLS needs: the chain and the key.
    pub key: Arc<CertifiedKey>,
    /// What people want to know.
    pub facts: Facts,
}

/// What people want to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Distinguished name of the issuer (RFC 4514).
    pub issuer: String,
    /// Host names and IP addresses for which it is valid, as the certificate orders them.
    pub names: Vec<String>,
    /// Valid from here on.
    #[serde(with = "clock::rfc3339")]
    pub not_before: SystemTime,
    /// Valid until here.
    #[serde(with = "clock::rfc3339")]
    pub not_after: SystemTime,
}

impl Certificate {
    /// Reads a chain, the certificate of this server first, and its key.
    ///
    /// # Errors
    /// One of both is absent or malformed, or they do not fit together.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, pem::Error>>()
            .map_err(|_| CertificateError::NoCertificate)?;
        let first = chain.first().ok_or(CertificateError::NoCertificate)?;
        let facts = Facts::read(first).ok_or(CertificateError::Malformed)?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| CertificateError::NoKey)?;
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
                match error {
                    rustls::Error::InconsistentKeys(_) => CertificateError::OtherKey,
                    error => CertificateError::Unusable(error),
                }
            })?;
        Ok(Self {
            key: Arc::new(key),
            facts,
        })
    }
}

impl Facts {
    fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let certificate = certificate.tbs_certificate;
        let validity = certificate.validity;
        let time = |time: x509_cert::time::Time| UNIX_EPOCH + time.to_unix_duration();
        let named = certificate.get::<SubjectAltName>().ok()?;
        let names = named.map_or(Vec::new(), |(_, names)| names.0);
        Some(Self {
            issuer: certificate.issuer.to_string(),
            names: names.iter().filter_map(name_of).collect(),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
        })
    }

    /// Life that is left at `now`; zero once it is over.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }

    /// Whole days that are left at `now`; negative once it has expired.
    pub fn days_left(&self, now: SystemTime) -> i64 {
        let days = |span: Duration| i64::try_from(span.as_secs() / DAY.as_secs()).unwrap_or(0);
        match now.duration_since(self.not_after) {
            Ok(over) if !over.is_zero() => -1 - days(over),
            _ => days(self.left(now)),
        }
    }

    /// Whether little of its life is left at `now`, or none: fewer than 20 days, or than a quarter of a life that is short
    /// from the start.
    pub fn is_ending(&self, now: SystemTime) -> bool {
        let life = self.not_after.duration_since(self.not_before);
        let days = life.unwrap_or_default().as_secs() / DAY.as_secs();
        self.days_left(now) < i64::try_from(days / 4).unwrap_or(SOON).min(SOON)
    }

    /// Whether it is valid for `name`; a star stands for one label (RFC 6125, section 6.4.3).
    pub fn covers(&self, name: &str) -> bool {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| {
            own.eq_ignore_ascii_case(name)
                || own
                    .strip_prefix("*.")
                    .is_some_and(|own| parent.is_some_and(|name| own.eq_ignore_ascii_case(name)))
        })
    }
}

fn name_of(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
            four.or_else(|_| sixteen())
                .ok()
                .map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_a_certificate_says_is_read_from_it() {
        let (chain, key) = made(&["hub.example.org", "192.0.2.1", "*.example.net"]);
        let facts = Certificate::from_pem(&chain, &key).unwrap().facts;
        assert_eq!(
            facts.names,
            ["hub.example.org", "192.0.2.1", "*.example.net"]
        );
        assert_eq!(facts.issuer, "CN=rcgen self signed cert");
        for (name, covered) in [
            ("HUB.example.org", true),
            ("a.example.net", true),
            ("a.b.example.net", false),
            ("example.net", false),
            ("example.org", false),
        ] {
            assert_eq!(facts.covers(name), covered, "{name}");
        }
    }

    #[test]
    fn days_are_counted_down_and_below_zero_once_it_has_expired() {
        let (chain, key) = made(&["h"]);
        let facts = Certificate::from_pem(&chain, &key).unwrap().facts;
        for (seconds, days) in [(20 * 86_400, 20), (86_399, 0), (0, 0)] {
            let now = facts.not_after - Duration::from_secs(seconds);
            assert_eq!(facts.days_left(now), days);
        }
        for (seconds, days) in [(1, -1), (86_400, -2)] {
            let now = facts.not_after + Duration::from_secs(seconds);
            assert_eq!(
                (facts.days_left(now), facts.left(now)),
                (days, Duration::ZERO)
            );
        }
    }

    #[test]
    fn what_does_not_fit_together_is_told_without_a_word_of_it() {
        let ((chain, key), (other, _)) = (made(&["a"]), made(&["b"]));
        for (chain, key, what) in [
            ("", key.as_str(), "no certificate"),
            (&chain, "", "no private key"),
            (&chain, &chain, "no private key"),
            (&other, &key, "not that of the certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                "not one of X.509",
            ),
        ] {
            let error = Certificate::from_pem(chain, key).unwrap_err().to_string();
            assert!(error.contains(what), "{what}: {error}");
        }
    }
}
