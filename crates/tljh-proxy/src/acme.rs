//! Certificates from a CA that speaks ACME (RFC 8555), as Let's Encrypt.
//!
//! A certificate is asked for when there is none or when a third of its life is left. The one that is there is served
//! meanwhile, however long that takes. HTTP-01 comes first, since port 80 is open wherever people type a name without
//! `https`; where it fails, TLS-ALPN-01 is tried, which needs port 443 alone; what has worked comes first from then on.

mod ca;
mod check;
mod error;
mod order;
mod schedule;
mod store;

use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use crate::clock;
use crate::https::{Https, Source, Status, Trouble};
use crate::settings::{self, Settings};
use crate::tls::{Certificate, Facts};
use ca::Authority;
use error::AcmeError;
use order::Method;
use store::Store;

/// How long one try may take: two ways to be validated, each with waiting, and twice that with a rehearsal.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// However often the process is started, a failure is not repeated sooner.
const BREATH: Duration = Duration::from_secs(10);
/// A computer that slept, or whose clock was set, is noticed after this time.
const NAP: Duration = Duration::from_secs(10 * 60);

/// The client of one CA.
#[derive(Debug)]
pub struct Acme {
    asked: settings::Acme,
    ports: check::Ports,
    store: Store,
    rehearsal: Option<Store>,
}

impl Acme {
    /// A client that keeps what it gets in `acme/` below `state_dir`.
    pub fn new(asked: settings::Acme, settings: &Settings, state_dir: &Path) -> Self {
        let folder = state_dir.join("acme");
        let https = settings.https.as_ref().map_or(443, |https| https.port);
        Self {
            ports: check::Ports {
                http: settings.http_port,
                https,
            },
            store: Store::new(&folder, &asked.directory),
            rehearsal: asked.rehearsal.as_ref().map(|url| Store::new(&folder, url)),
            asked,
        }
    }

    /// The certificate that the CA gave last, whatever became of it.
    pub fn stored(&self) -> Option<Certificate> {
        self.store.certificate()
    }

    /// Notes what is asked for, and what a former process knew of the same.
    pub fn begin(&self, status: &mut Status, before: &Status) {
        status.source = Source::Acme;
        status.domains.clone_from(&self.asked.domains);
        status.directory = Some(self.asked.directory.clone());
        if before.domains == status.domains && before.directory == status.directory {
            status.last_success = before.last_success;
            status.last_method.clone_from(&before.last_method);
            status.last_error.clone_from(&before.last_error);
            status.failures = before.failures;
            status.next_try = before.next_try;
            status.told_to_wait = before.told_to_wait;
        }
    }

    /// Asks for a certificate whenever it is time to, for ever.
    pub async fn keep(&self, https: &Https) {
        // The process before may have got one when this one had already looked.
        if let Some(stored) = self.stored()
            && https.status().get().await.certificate.as_ref() != Some(&stored.facts)
        {
            https.install(stored).await;
        }
        let mut next = self.first_try(&https.status().get().await);
        loop {
            https
                .status()
                .update(|status| status.next_try = Some(next))
                .await;
            sleep_until(next).await;
            next = match timeout(LIMIT, self.attempt(https)).await {
                Ok(Ok(facts)) => schedule::renewal(&facts),
                Ok(Err((error, told))) => self.note_failure(https, &error, told).await,
                Err(_) => {
                    self.note_failure(https, &AcmeError::TookTooLong, None)
                        .await
                }
            };
        }
    }

    /// When a process that has just started is to ask.
    fn first_try(&self, status: &Status) -> SystemTime {
        let now = SystemTime::now();
        let due = status
            .certificate
            .as_ref()
            .map_or(now, |facts| self.due(facts, now));
        let earliest = match (&status.last_error, status.next_try) {
            (Some(_), Some(next)) if status.told_to_wait => next.min(now + schedule::LONGEST_WAIT),
            (Some(error), _) => (error.at + BREATH).min(now + BREATH),
            _ => now,
        };
        due.max(earliest)
    }

    fn due(&self, facts: &Facts, now: SystemTime) -> SystemTime {
        if self.asked.domains.iter().all(|name| facts.covers(name)) {
            schedule::renewal(facts)
        } else {
            now
        }
    }

    /// One try. An error comes with the time before which the CA does not want to be asked again, if it said one.
    async fn attempt(&self, https: &Https) -> Result<Facts, (AcmeError, Option<SystemTime>)> {
        let domains = &self.asked.domains;
        let warnings = check::names(domains, self.ports)
            .await
            .map_err(|error| (error, None))?;
        warnings.iter().for_each(|warning| log::warn!("{warning}"));
        let status = https
            .status()
            .update(|status| status.warnings = warnings)
            .await;
        let first = Method::named(status.last_method.as_deref());
        if let Some(rehearsal) = self.rehearsal.as_ref().filter(|_| self.is_new()) {
            let url = self.asked.rehearsal.as_deref().unwrap_or_default();
            self.obtain(https, url, rehearsal, first).await?;
            log::info!(
                "the CA's test service gave a certificate for {}",
                domains.join(", ")
            );
        }
        let (certificate, method) = self
            .obtain(https, &self.asked.directory, &self.store, first)
            .await?;
        let facts = certificate.facts.clone();
        log::info!(
            "the CA gave a certificate for {}, valid until {}",
            facts.names.join(", "),
            clock::readable(facts.not_after)
        );
        let succeeded = https.status().update(|status| {
            status.last_success = Some(SystemTime::now());
            status.last_method = Some(method.to_string());
            status.failures = 0;
            status.told_to_wait = false;
        });
        succeeded.await;
        https.install(certificate).await;
        Ok(facts)
    }

    /// Whether the CA has never given a certificate for these names, and its test service neither.
    fn is_new(&self) -> bool {
        let is_for_all = |facts: &Facts| self.asked.domains.iter().all(|name| facts.covers(name));
        let rehearsed = self.rehearsal.as_ref().and_then(Store::certificate);
        self.store.certificate().is_none()
            && !rehearsed.is_some_and(|certificate| {
                is_for_all(&certificate.facts)
                    && !certificate.facts.left(SystemTime::now()).is_zero()
            })
    }

    async fn obtain(
        &self,
        https: &Https,
        directory: &str,
        store: &Store,
        first: Method,
    ) -> Result<(Certificate, Method), (AcmeError, Option<SystemTime>)> {
        let authority = Authority::new(directory, &self.asked.ca).map_err(|error| (error, None))?;
        let obtained = order::obtain(&self.asked, &authority, store, https, first).await;
        obtained.map_err(|error| (error, authority.told_to_wait_until()))
    }

    /// Notes a failure, and says when to try again.
    async fn note_failure(
        &self,
        https: &Https,
        error: &AcmeError,
        told: Option<SystemTime>,
    ) -> SystemTime {
        let now = SystemTime::now();
        let failures = https.status().get().await.failures.saturating_add(1);
        let pause = schedule::pause(failures, Duration::from_secs(self.asked.first_retry));
        let told = told.map(|told| told.min(now + schedule::LONGEST_WAIT));
        let told = told.filter(|told| *told > now + pause);
        let next = told.unwrap_or(now + pause);
        let trouble = Trouble {
            at: now,
            what: error.to_string(),
            hint: error.hint(),
        };
        let hint = trouble
            .hint
            .as_ref()
            .map_or(String::new(), |hint| format!("; {hint}"));
        log::warn!(
            "no certificate from the CA: {}{hint}; next try on {}",
            trouble.what,
            clock::readable(next)
        );
        let noted = https.status().update(|status| {
            status.last_error = Some(trouble);
            status.failures = failures;
            status.told_to_wait = told.is_some();
            status.next_try = Some(next);
        });
        noted.await;
        next
    }
}

/// Waits until a point in time as the clock on the wall shows it.
async fn sleep_until(time: SystemTime) {
    while let Ok(left) = time.duration_since(SystemTime::now()) {
        sleep(left.min(NAP)).await;
    }
}
