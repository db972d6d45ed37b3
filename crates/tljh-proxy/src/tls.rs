//! TLS towards browsers: which certificate a connection gets, and how it speaks.
//!
//! TLS 1.2 and 1.3 by rustls; HTTP/2 and HTTP/1.1 by ALPN. The certificate is replaced while connections are open, and
//! those stay as they are.

mod certificate;
mod resolver;
mod self_made;
mod socket;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};

pub use certificate::{Certificate, CertificateError, Facts};
pub use resolver::Resolver;
pub use self_made::{SelfMadeError, challenge_certificate, stand_in};
pub use socket::Socket;

/// HTTP/2, as ALPN names it.
pub const H2: &[u8] = b"h2";
/// The challenge TLS-ALPN-01 (RFC 8737, section 3).
pub const ACME: &[u8] = b"acme-tls/1";

/// How connections are secured, with the certificates of `resolver`.
///
/// # Errors
/// The system gave no random bytes.
pub fn server_config(resolver: Arc<Resolver>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = [H2, b"http/1.1", ACME].map(<[u8]>::to_vec).into();
    // A browser that comes back is spared a signature and a round trip.
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
