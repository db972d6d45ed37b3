//! Certificates that the proxy makes itself: one to serve with while there is no other, and answers to TLS-ALPN-01.

use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfMadeError {
    #[error(transparent)]
    Make(#[from] rcgen::Error),
    #[error(transparent)]
    Use(#[from] rustls::Error),
    #[error("the digest of a challenge is not one of SHA-256")]
    Digest,
}

/// A self-signed certificate for these names, which tells by its subject what it is.
///
/// # Errors
/// The system gave no random bytes.
pub fn stand_in(names: &[String]) -> Result<Arc<CertifiedKey>, SelfMadeError> {
    let names = if names.is_empty() {
        vec!["localhost".into()]
    } else {
        names.to_vec()
    };
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "tljh-proxy without a certificate");
    params.distinguished_name = subject;
    certify(&params)
}

/// The certificate that answers TLS-ALPN-01 for `name` with `digest`, the SHA-256 of the key authorization
/// (RFC 8737, section 3).
///
/// # Errors
/// `digest` is not 32 bytes long, `name` is no host name, or the system gave no random bytes.
pub fn challenge_certificate(
    name: &str,
    digest: &[u8],
) -> Result<Arc<CertifiedKey>, SelfMadeError> {
    if digest.len() != 32 {
        return Err(SelfMadeError::Digest);
    }
    let mut params = CertificateParams::new([name.to_string()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    certify(&params)
}

fn certify(params: &CertificateParams) -> Result<Arc<CertifiedKey>, SelfMadeError> {
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let signing = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let signing = ring::default_provider()
        .key_provider
        .load_private_key(signing)?;
    // Not `CertifiedKey::from_der`: it reads the certificate, and does not know the extension of TLS-ALPN-01.
    Ok(Arc::new(CertifiedKey::new(
        vec![certificate.der().clone()],
        signing,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_with_its_digest_in_a_critical_extension() {
        let made = challenge_certificate("hub.test", &[7; 32]).unwrap();
        let der = made.cert.first().unwrap().as_ref();
        // 1.3.6.1.5.5.7.1.31, critical, the digest as an octet string in the octet string of an extension.
        let mut expected = vec![
            0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, 31, 0x01, 1, 0xff, 0x04, 34, 0x04, 32,
        ];
        expected.extend([7; 32]);
        assert!(der.windows(expected.len()).any(|part| part == expected));
        assert!(challenge_certificate("hub.test", b"short").is_err());
    }

    #[test]
    fn there_is_a_certificate_to_begin_with_for_any_names_or_none() {
        for names in [&[][..], &["hub.test".to_string(), "lab.test".into()]] {
            assert_eq!(stand_in(names).unwrap().cert.len(), 1);
        }
    }
}
