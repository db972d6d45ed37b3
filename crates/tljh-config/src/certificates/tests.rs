use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, date_time_ymd};

use super::*;

/// A folder with files of certificates, and today's date as far as the test is concerned.
struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes `cert.pem` and `key.pem`, valid from 2030-01-01 to 2031-01-01.
    fn pair(&self, algorithm: &'static rcgen::SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(vec!["hub.example.org".to_string()]).unwrap();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2031, 1, 1);
        self.write("cert.pem", &params.self_signed(&key).unwrap().pem());
        self.write("key.pem", &key.serialize_pem());
    }

    /// The problems on a day, counted from 2030-01-01.
    fn problems(&self, enabled: bool, day: u64) -> Vec<CertificateProblem> {
        let text = format!(
            "https: {{enabled: {enabled}, tls: {{cert: {}, key: {}}}}}",
            self.path("cert.pem").display(),
            self.path("key.pem").display()
        );
        let begin = UNIX_EPOCH + Duration::from_secs(1_893_456_000);
        let day = Duration::from_secs(day * 24 * 60 * 60);
        check_at(&Settings::parse(&text).unwrap(), begin + day)
    }

    /// What is wrong, with its severity and key, in one line.
    fn seen(&self, day: u64) -> String {
        let line = |problem: CertificateProblem| {
            format!("{:?} {} {}", problem.severity, problem.key, problem.what)
        };
        let lines: Vec<String> = self.problems(true, day).into_iter().map(line).collect();
        lines
            .join("\n")
            .replace(&self.0.path().display().to_string(), "")
    }
}

#[test]
fn a_certificate_with_its_key_is_no_problem() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        let shelf = Shelf::new();
        shelf.pair(algorithm);
        assert_eq!(shelf.seen(100), "");
    }
    assert_eq!(check_certificates(&Settings::parse("").unwrap()), []);
}

#[test]
fn the_dates_of_a_certificate_count() {
    let shelf = Shelf::new();
    shelf.pair(&PKCS_ECDSA_P256_SHA256);
    assert_eq!(shelf.seen(344), "");
    assert_eq!(
        shelf.seen(350),
        "Warning https.tls.cert names `/cert.pem`, which expires in 15 days"
    );
    assert_eq!(
        shelf.seen(365),
        "Error https.tls.cert names `/cert.pem`, which has expired"
    );
    let hint = shelf.problems(true, 400).remove(0).hint.unwrap();
    assert!(hint.contains("`openssl x509 -noout -dates -in /"), "{hint}");
}

#[test]
fn another_certificates_key_is_an_error() {
    let (shelf, other) = (Shelf::new(), Shelf::new());
    shelf.pair(&PKCS_ECDSA_P256_SHA256);
    other.pair(&PKCS_ECDSA_P256_SHA256);
    std::fs::copy(other.path("key.pem"), shelf.path("key.pem")).unwrap();
    assert_eq!(
        shelf.seen(1),
        "Error https.tls.key names `/key.pem`, which is not the key of `/cert.pem`"
    );
}

#[test]
fn files_that_are_missing_mixed_up_or_no_pem_are_errors_that_show_no_key() {
    let shelf = Shelf::new();
    assert_eq!(
        shelf
            .seen(1)
            .matches("cannot be read: No such file")
            .count(),
        2
    );
    shelf.pair(&PKCS_ECDSA_P256_SHA256);
    let key = std::fs::read_to_string(shelf.path("key.pem")).unwrap();
    let cert = std::fs::read_to_string(shelf.path("cert.pem")).unwrap();
    shelf.write("cert.pem", &key);
    shelf.write("key.pem", &cert);
    let seen = shelf.seen(1);
    assert!(
        seen.contains("https.tls.cert names a file without a certificate in PEM form"),
        "{seen}"
    );
    assert!(
        seen.contains("https.tls.key names a file without a private key in PEM form"),
        "{seen}"
    );
    shelf.write("cert.pem", "");
    shelf.write("key.pem", &key[..key.len() / 2]);
    let seen = shelf.seen(1);
    assert_eq!(seen.matches("Error").count(), 2, "{seen}");
    let secret = key.lines().nth(1).unwrap();
    assert!(!seen.contains(secret), "{seen}");
    shelf.write(
        "cert.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    assert!(shelf.seen(1).contains("holds no X.509 certificate"));
}

#[test]
fn while_https_is_off_everything_is_a_warning() {
    let problems = Shelf::new().problems(false, 1);
    assert_eq!(problems.len(), 2);
    assert!(
        problems
            .iter()
            .all(|problem| problem.severity == Severity::Warning)
    );
}

#[test]
fn the_ports_that_are_refused_are_those_in_use() {
    use tljh_machine::services::{HUB_PORT, PROXY_API_PORT};
    for port in [HUB_PORT, PROXY_API_PORT] {
        let refused = Settings::parse(&format!("http: {{port: {port}}}"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("another port than those of the hub"),
            "{refused}"
        );
    }
}
