//! What the proxy is told about HTTPS.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tljh_terminal::Secret;

/// HTTPS is served when this is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Https {
    /// Address to listen on for browsers; empty for every address, IPv4 and IPv6.
    pub address: String,
    /// Port to listen on for browsers, 1 to 65535.
    pub port: u16,
    /// Seconds for which browsers are to insist on HTTPS (RFC 6797); 0 for not at all.
    pub hsts: u64,
    /// A certificate that somebody else renews. It takes precedence over `acme`.
    pub certificate: Option<OwnCertificate>,
    /// A certificate that the proxy asks a CA for.
    pub acme: Option<Acme>,
}

/// An own certificate: the files, and what they held when a process that may read them did so.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnCertificate {
    /// File with the certificate and its chain, PEM.
    pub cert_file: PathBuf,
    /// File with the private key, PEM.
    pub key_file: PathBuf,
    /// What `cert_file` holds.
    pub cert: String,
    /// What `key_file` holds.
    #[serde(with = "secret")]
    pub key: Secret,
    /// Why one of them could not be read.
    pub problem: Option<String>,
}

/// A CA that speaks ACME (RFC 8555).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Acme {
    /// Whom the CA may write to; empty for nobody.
    pub email: String,
    /// Host names of the certificate, the main one first.
    pub domains: Vec<String>,
    /// URL of the CA's directory.
    pub directory: String,
    /// URL of the directory of the CA's test service, if it has one. It is asked first as long as `directory` has never
    /// given a certificate, so that a machine which nobody can reach does not use up what the CA grants.
    pub rehearsal: Option<String>,
    /// File with root certificates, PEM, that the CA's own certificate may stem from besides the system's.
    pub ca_file: Option<PathBuf>,
    /// What `ca_file` holds.
    pub ca: String,
    /// Seconds until the first failure is followed by another try; each further one doubles it.
    pub first_retry: u64,
}

impl Default for Https {
    fn default() -> Self {
        Self {
            address: String::new(),
            port: 443,
            hsts: 0,
            certificate: None,
            acme: None,
        }
    }
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            email: String::new(),
            domains: Vec::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            rehearsal: None,
            ca_file: None,
            ca: String::new(),
            first_retry: 60,
        }
    }
}

impl Https {
    /// Reads the files that are named, so that the settings can be handed to a process that may not. A file that cannot
    /// be read is told by whoever serves: HTTP goes on without it.
    pub fn read_files(&mut self) {
        if let Some(certificate) = &mut self.certificate {
            certificate.read_files();
        }
        if let Some(acme) = &mut self.acme
            && let Some(path) = &acme.ca_file
        {
            match read(path) {
                Ok(text) => acme.ca = text,
                Err(problem) => log::warn!("going on without a CA's root certificate: {problem}"),
            }
        }
    }
}

impl OwnCertificate {
    /// Reads both files.
    pub fn read_files(&mut self) {
        self.problem = None;
        match read(&self.cert_file) {
            Ok(text) => self.cert = text,
            Err(problem) => self.problem = Some(problem),
        }
        match read(&self.key_file) {
            Ok(text) => self.key = Secret::new(text),
            Err(problem) => self.problem = Some(problem),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|error| format!("could not read `{}`: {error}", path.display()))
}

/// A secret in settings that are handed from one process to another, and nowhere else.
mod secret {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use tljh_terminal::Secret;

    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<Secret, D::Error> {
        String::deserialize(reader).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_into_settings_that_can_be_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        fs::write(&cert, "the chain").unwrap();
        fs::write(&key, "the key").unwrap();
        let mut https: Https = serde_json::from_value(serde_json::json!({
            "certificate": {"cert_file": cert, "key_file": key},
        }))
        .unwrap();
        https.read_files();
        assert!(!format!("{https:?}").contains("the key"));
        let handed = serde_json::to_string(&https).unwrap();
        let got: Https = serde_json::from_str(&handed).unwrap();
        let own = got.certificate.unwrap();
        assert_eq!(
            (own.cert.as_str(), own.key.expose()),
            ("the chain", "the key")
        );
        assert_eq!((own.problem, got.port, got.hsts), (None, 443, 0));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_by_name() {
        let mut own = OwnCertificate {
            cert_file: "/no/cert.pem".into(),
            key_file: "/no/cert.pem".into(),
            ..OwnCertificate::default()
        };
        own.read_files();
        assert!(
            own.problem
                .unwrap()
                .starts_with("could not read `/no/cert.pem`: ")
        );
    }
}
