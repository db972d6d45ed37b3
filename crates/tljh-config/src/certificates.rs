//! The certificate that `https.tls` names: whether the proxy will be able to serve with it.
//!
//! rustls, which reads the files here, is what a proxy in Rust serves with.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tljh_settings::{Settings, Severity};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

const CERT: &str = "https.tls.cert";
const KEY: &str = "https.tls.key";
/// Less life than this is worth a warning.
const SOON: Duration = Duration::from_secs(20 * 24 * 60 * 60);

/// What is wrong with a certificate or its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateProblem {
    /// Whether HTTPS cannot be served.
    pub severity: Severity,
    /// The key of the configuration that names the file.
    pub key: &'static str,
    /// What is wrong, without the key.
    pub what: String,
    /// One command that helps.
    pub hint: Option<String>,
}

/// Checks the files of `https.tls`: they can be read, hold a certificate and its key, and the certificate is
/// valid today and for 20 days more. No problem where none is configured; nothing worse than a warning
/// while HTTPS is off.
pub fn check_certificates(settings: &Settings) -> Vec<CertificateProblem> {
    check_at(settings, SystemTime::now())
}

fn check_at(settings: &Settings, now: SystemTime) -> Vec<CertificateProblem> {
    let tls = &settings.https.tls;
    let mut problems = Vec::new();
    let mut note = |key, what: String, hint| {
        problems.push(CertificateProblem {
            severity: Severity::Error,
            key,
            what,
            hint,
        });
    };
    let chain = given(&tls.cert).map(|path| {
        read_chain(path).map_err(|error| note(CERT, words(&error, "certificate"), list(path)))
    });
    let private = given(&tls.key).map(|path| {
        PrivateKeyDer::from_pem_file(path)
            .map_err(|error| note(KEY, words(&error, "private key"), list(path)))
    });
    if let Some(Ok(chain)) = &chain {
        let path = &tls.cert;
        let dates = format!("see its dates: `openssl x509 -noout -dates -in {path}`");
        match chain.first().map(|first| lifetime(first)) {
            None => {}
            Some(None) => note(
                CERT,
                format!("names `{path}`, which holds no X.509 certificate"),
                None,
            ),
            Some(Some((begin, _))) if begin > now => {
                note(
                    CERT,
                    format!("names `{path}`, which is not valid yet"),
                    Some(dates),
                );
            }
            Some(Some((_, end))) if end <= now => {
                note(
                    CERT,
                    format!("names `{path}`, which has expired"),
                    Some(dates),
                );
            }
            Some(Some((_, end))) if end < now + SOON => {
                let days = end.duration_since(now).unwrap_or_default().as_secs() / (24 * 60 * 60);
                problems.push(CertificateProblem {
                    severity: Severity::Warning,
                    key: CERT,
                    what: format!("names `{path}`, which expires in {days} days"),
                    hint: Some(dates),
                });
            }
            Some(Some(_)) => {}
        }
    }
    if let (Some(Ok(chain)), Some(Ok(private))) = (chain, private) {
        let pair = CertifiedKey::from_der(chain, private, &ring::default_provider());
        let what = match pair {
            Ok(_) => None,
            Err(rustls::Error::InconsistentKeys(_)) => Some(format!(
                "names `{}`, which is not the key of `{}`",
                tls.key, tls.cert
            )),
            Err(error) => Some(format!(
                "names `{}`, which cannot be used: {error}",
                tls.key
            )),
        };
        problems.extend(what.map(|what| CertificateProblem {
            severity: Severity::Error,
            key: KEY,
            what,
            hint: None,
        }));
    }
    if !settings.https.enabled {
        problems
            .iter_mut()
            .for_each(|problem| problem.severity = Severity::Warning);
    }
    problems
}

fn given(path: &str) -> Option<&Path> {
    (!path.is_empty()).then(|| Path::new(path))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if chain.is_empty() {
        Err(PemError::NoItemsFound)
    } else {
        Ok(chain)
    }
}

/// What a PEM file lacks; never its content.
fn words(error: &PemError, wanted: &str) -> String {
    match error {
        PemError::Io(error) => format!("names a file that cannot be read: {error}"),
        PemError::NoItemsFound => format!("names a file without a {wanted} in PEM form"),
        _ => format!("names a file that is not in PEM form, wanted a {wanted}"),
    }
}

fn list(path: &Path) -> Option<String> {
    Some(format!("see the file: `sudo ls -l {}`", path.display()))
}

/// Begin and end of a certificate's validity.
fn lifetime(certificate: &CertificateDer<'_>) -> Option<(SystemTime, SystemTime)> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let validity = certificate.tbs_certificate.validity;
    let time = |time: x509_cert::time::Time| UNIX_EPOCH + time.to_unix_duration();
    Some((time(validity.not_before), time(validity.not_after)))
}

#[cfg(test)]
mod tests;
