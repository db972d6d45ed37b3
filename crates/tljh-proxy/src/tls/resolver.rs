//! The certificate of each handshake.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ACME;

/// One certificate for every name, replaceable at any time, and those that answer challenges of a CA.
#[derive(Debug)]
pub struct Resolver {
    current: ArcSwap<CertifiedKey>,
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Resolver {
    /// A resolver that begins with this certificate.
    pub fn new(current: Arc<CertifiedKey>) -> Self {
        Self {
            current: ArcSwap::new(current),
            challenges: Mutex::default(),
        }
    }

    /// Replaces the certificate for all handshakes to come.
    pub fn replace(&self, current: Arc<CertifiedKey>) {
        self.current.store(current);
    }

    /// Answers TLS-ALPN-01 for `name` with this certificate until it is withdrawn.
    pub fn add_challenge(&self, name: &str, certificate: Arc<CertifiedKey>) {
        self.challenges
            .lock()
            .insert(name.to_ascii_lowercase(), certificate);
    }

    /// Withdraws the answer for `name`.
    pub fn remove_challenge(&self, name: &str) {
        self.challenges.lock().remove(&name.to_ascii_lowercase());
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A CA offers this protocol and no other (RFC 8737, section 3).
        let mut offered = hello.alpn().into_iter().flatten();
        if offered.next() == Some(ACME) && offered.next().is_none() {
            let name = hello.server_name()?.to_ascii_lowercase();
            return self.challenges.lock().get(&name).cloned();
        }
        Some(self.current.load_full())
    }
}
