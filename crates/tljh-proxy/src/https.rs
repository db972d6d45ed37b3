//! HTTPS: where the certificate comes from, how it is kept valid, and what is told about it.
//!
//! While there is no certificate that browsers may believe, one that the proxy signs itself is served by HTTPS, and HTTP
//! goes on as if HTTPS were off: nobody is locked out by a certificate that does not come.

mod front;
mod own;
mod status;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;

use crate::acme::Acme;
use crate::clock::{self, DAY};
use crate::error::Error;
use crate::settings::{OwnCertificate, Settings};
use crate::tls::{self, Certificate, Resolver};
pub use front::Front;
pub use own::read as read_own;
pub use status::{ProcessMark, Source, Status, StatusFile, Trouble};

/// HTTPS of a running proxy; that it is off, too.
#[derive(Debug)]
pub struct Https {
    front: Arc<Front>,
    tls: Option<Tls>,
    keeper: Keeper,
    status: StatusFile,
}

/// How connections are secured.
#[derive(Debug)]
struct Tls {
    resolver: Arc<Resolver>,
    config: Arc<ServerConfig>,
}

/// Who keeps the certificate valid.
#[derive(Debug)]
enum Keeper {
    Nobody,
    Administrator(OwnCertificate),
    Authority(Box<Acme>),
}

impl Https {
    /// HTTPS as the settings ask for it, with the certificate that is there by now. Whatever is wrong with that is told by
    /// the status and the log; the proxy serves all the same.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn open(settings: &Settings, state_dir: &Path) -> Result<Arc<Self>, Error> {
        let before = Status::read(state_dir).unwrap_or_default();
        let mut status = Status {
            process: ProcessMark::own(),
            ..Status::default()
        };
        let Some(asked) = &settings.https else {
            return Ok(Arc::new(Self {
                front: Arc::default(),
                tls: None,
                keeper: Keeper::Nobody,
                status: StatusFile::new(state_dir.into(), status),
            }));
        };
        let front = Arc::new(Front::new(asked.port, asked.hsts));
        let names = asked.acme.as_ref().map_or(&[][..], |acme| &acme.domains);
        let stand_in = tls::stand_in(names).map_err(Error::StandIn)?;
        let resolver = Arc::new(Resolver::new(stand_in));
        let config =
            tls::server_config(resolver.clone()).map_err(|source| Error::Tls { source })?;
        let mut certificate = None;
        let keeper = if let Some(own) = &asked.certificate {
            status.source = Source::Own;
            match own::read(own) {
                Ok(read) => certificate = Some(read),
                Err(trouble) => {
                    log::warn!("HTTPS has no certificate: {}", trouble.what);
                    status.last_error = Some(trouble);
                }
            }
            Keeper::Administrator(own.clone())
        } else if let Some(asked) = &asked.acme {
            let acme = Acme::new(asked.clone(), settings, state_dir);
            certificate = acme.stored();
            acme.begin(&mut status, &before);
            Keeper::Authority(Box::new(acme))
        } else {
            Keeper::Nobody
        };
        if let Some(certificate) = certificate {
            resolver.replace(certificate.key);
            front.set_ready();
            status.certificate = Some(certificate.facts);
            status.redirects = true;
        }
        Ok(Arc::new(Self {
            front,
            tls: Some(Tls { resolver, config }),
            keeper,
            status: StatusFile::new(state_dir.into(), status),
        }))
    }

    /// What is answered because of HTTPS.
    pub fn front(&self) -> &Arc<Front> {
        &self.front
    }

    /// How connections are secured; `None` if HTTPS is off.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| tls.config.clone())
    }

    /// Keeps the certificate valid and the status true, for ever. Of all processes only the one that accepts connections
    /// may do so: a CA asks whoever accepts.
    pub async fn keep(self: Arc<Self>) {
        let keep = async {
            match &self.keeper {
                Keeper::Nobody => {}
                Keeper::Administrator(own) => own::watch(own, &self).await,
                Keeper::Authority(acme) => acme.keep(&self).await,
            }
        };
        tokio::join!(keep, self.warn_daily());
    }

    /// Serves this certificate from the next handshake on.
    pub async fn install(&self, certificate: Certificate) {
        if let Some(tls) = &self.tls {
            tls.resolver.replace(certificate.key);
            self.front.set_ready();
        }
        let status = self.status.update(|status| {
            status.certificate = Some(certificate.facts);
            status.redirects = true;
            status.last_error = None;
        });
        warn_of_end(&status.await);
    }

    /// What is told about it.
    pub fn status(&self) -> &StatusFile {
        &self.status
    }

    /// Who gets the challenges of TLS-ALPN-01.
    pub fn resolver(&self) -> Option<&Arc<Resolver>> {
        self.tls.as_ref().map(|tls| &tls.resolver)
    }

    async fn warn_daily(&self) {
        loop {
            warn_of_end(&self.status.get().await);
            tokio::time::sleep(DAY).await;
        }
    }
}

/// Says in the log that a certificate has expired or soon will.
fn warn_of_end(status: &Status) {
    let Some(facts) = &status.certificate else {
        return;
    };
    let (now, end) = (SystemTime::now(), clock::readable(facts.not_after));
    let days = facts.days_left(now);
    if days < 0 {
        log::warn!("the certificate for HTTPS has expired on {end}: see `sudo tljh-proxy status`");
    } else if facts.is_ending(now) {
        log::warn!(
            "the certificate for HTTPS expires in {days} days, on {end}: see `sudo tljh-proxy status`"
        );
    }
}
