//! `tljh-hub render proxy`: the proxy may not read the configuration, so it gets its part of it.

use serde_json::{Value, json};
use tljh_machine::services::{LOOPBACK, PROXY_API_PORT};
use tljh_machine::{Paths, files};
use tljh_settings::{Http, Https, LetsEncrypt, Settings};

use crate::error::HubError;

/// Let's Encrypt, and its test service.
const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Writes the proxy's settings. They outlive a configuration that cannot be read, so that the proxy starts
/// with what worked before.
pub fn proxy(paths: &Paths) -> Result<(), HubError> {
    let settings = Settings::load(&paths.config_yaml())?;
    files::ensure_folder(&paths.state(), 0o700)?;
    files::ensure_secret(&paths.proxy_api_token())?;
    let rendered = json!({
        "http_address": settings.http.address,
        "http_port": settings.http.port,
        "http_socket": socket(&settings.http),
        "trusted_proxies": settings.http.trusted_proxies,
        "api_address": LOOPBACK,
        "api_port": PROXY_API_PORT,
        "https": https(&settings.https),
    });
    Ok(files::write_atomically(
        &paths.proxy_settings(),
        format!("{rendered:#}\n").as_bytes(),
        0o600,
    )?)
}

/// The socket for another proxy on this machine; null where none is wanted.
fn socket(http: &Http) -> Value {
    if http.socket.is_empty() {
        return Value::Null;
    }
    json!({"path": http.socket, "group": http.socket_group})
}

/// What the proxy is told about HTTPS; null where it is off. An own certificate goes before one of a CA, as upstream's
/// does.
fn https(https: &Https) -> Value {
    if !https.enabled {
        return Value::Null;
    }
    let mut rendered = json!({
        "address": https.address,
        "port": https.port,
        "hsts": https.hsts,
    });
    if !https.tls.cert.is_empty() {
        rendered["certificate"] = json!({"cert_file": https.tls.cert, "key_file": https.tls.key});
    } else {
        rendered["acme"] = acme(&https.letsencrypt);
    }
    rendered
}

fn acme(asked: &LetsEncrypt) -> Value {
    let (directory, rehearsal) = match (asked.directory.as_str(), asked.staging) {
        ("", false) => (PRODUCTION, Some(STAGING)),
        ("", true) => (STAGING, None),
        (directory, _) => (directory, None),
    };
    json!({
        "email": asked.email,
        "domains": asked.domains,
        "directory": directory,
        "rehearsal": rehearsal,
        "ca_file": Some(&asked.ca_file).filter(|path| !path.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Value {
        let settings = Settings::parse(&format!("https: {{{text}}}\n")).unwrap();
        https(&settings.https)
    }

    #[test]
    fn a_socket_comes_with_its_group() {
        let rendered = |text: &str| socket(&Settings::parse(text).unwrap().http);
        assert_eq!(rendered("http: {socket_group: nginx}"), Value::Null);
        assert_eq!(
            rendered("http: {socket: /run/x.sock}"),
            json!({"path": "/run/x.sock", "group": "www-data"})
        );
    }

    #[test]
    fn nothing_is_told_about_https_that_is_off() {
        assert_eq!(
            rendered("port: 8443, tls: {cert: /c, key: /k}"),
            Value::Null
        );
    }

    #[test]
    fn an_own_certificate_goes_before_one_of_a_ca() {
        let text = "enabled: true, hsts: 60, tls: {cert: /c, key: /k}, letsencrypt: {email: a@b.org, domains: [b.org]}";
        assert_eq!(
            rendered(text),
            json!({
                "address": "",
                "port": 443,
                "hsts": 60,
                "certificate": {"cert_file": "/c", "key_file": "/k"},
            })
        );
    }

    #[test]
    fn lets_encrypt_is_asked_after_its_test_service_and_another_ca_alone() {
        let asked = |more: &str| {
            let text =
                format!("enabled: true, letsencrypt: {{email: a@b.org, domains: [b.org]{more}}}");
            rendered(&text)["acme"].clone()
        };
        let production = asked("");
        assert_eq!(
            (&production["directory"], &production["rehearsal"]),
            (&json!(PRODUCTION), &json!(STAGING))
        );
        assert_eq!(
            (&production["email"], &production["domains"]),
            (&json!("a@b.org"), &json!(["b.org"]))
        );
        assert_eq!(production["ca_file"], Value::Null);
        let staging = asked(", staging: true");
        assert_eq!(
            (&staging["directory"], &staging["rehearsal"]),
            (&json!(STAGING), &Value::Null)
        );
        let other = asked(", directory: 'https://ca.test/dir', ca_file: /ca.pem");
        assert_eq!(
            (&other["directory"], &other["rehearsal"]),
            (&json!("https://ca.test/dir"), &Value::Null)
        );
        assert_eq!(other["ca_file"], "/ca.pem");
    }
}
