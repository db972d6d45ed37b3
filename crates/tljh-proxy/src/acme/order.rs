//! One certificate from one directory of a CA.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    self as protocol, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};

use super::ca::Authority;
use super::error::{AcmeError, Refusal};
use super::store::{Account, Store};
use crate::https::{Front, Https};
use crate::settings;
use crate::tls::{Certificate, Resolver, challenge_certificate};

/// How long a CA gets to decide.
pub const PATIENCE: Duration = Duration::from_secs(120);
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(PATIENCE);

/// How a CA sees that a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A file on port 80 (RFC 8555, section 8.3).
    Http,
    /// A certificate on port 443 (RFC 8737).
    TlsAlpn,
}

impl Method {
    /// The method with this name; HTTP-01 if there is none.
    pub fn named(name: Option<&str>) -> Self {
        if name == Some("tls-alpn-01") {
            Self::TlsAlpn
        } else {
            Self::Http
        }
    }

    /// Where the CA asks.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::TlsAlpn => 443,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Http => Self::TlsAlpn,
            Self::TlsAlpn => Self::Http,
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::Http => ChallengeType::Http01,
            Self::TlsAlpn => ChallengeType::TlsAlpn01,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http-01",
            Self::TlsAlpn => "tls-alpn-01",
        })
    }
}

/// Obtains a certificate, and keeps it in `store`. The CA is asked by the method `first`; where it does not offer that
/// one, or finds nothing by it, by the other.
///
/// # Errors
/// There is no certificate; neither way led to one.
pub async fn obtain(
    asked: &settings::Acme,
    authority: &Authority,
    store: &Store,
    https: &Https,
    first: Method,
) -> Result<(Certificate, Method), AcmeError> {
    let desk = Desk {
        asked,
        authority,
        https,
    };
    let account = desk.account(store, true).await?;
    let obtained = match desk.obtain(&account, first).await {
        // A test CA forgets all accounts when it is started anew; another one may have closed ours.
        Err(AcmeError::NoAccount) => {
            log::info!("making a new account: the CA knows the old one no more");
            let account = desk.account(store, false).await?;
            desk.obtain(&account, first).await
        }
        obtained => obtained,
    };
    let (key, chain, method) = obtained?;
    let certificate = Certificate::from_pem(&chain, &key)?;
    store.keep_certificate(&key, &chain)?;
    Ok((certificate, method))
}

/// Where orders are made.
struct Desk<'a> {
    asked: &'a settings::Acme,
    authority: &'a Authority,
    https: &'a Https,
}

/// A key, a chain, and how the names were validated.
type Obtained = (String, String, Method);

impl Desk<'_> {
    fn error(&self, error: protocol::Error) -> AcmeError {
        AcmeError::new(error, self.authority, &self.asked.email)
    }

    /// The account that is kept, if it may be used and there is one, else a new one.
    async fn account(&self, store: &Store, use_kept: bool) -> Result<protocol::Account, AcmeError> {
        let builder = || protocol::Account::builder_with_http(Box::new(self.authority.clone()));
        let email = self.asked.email.as_str();
        let contact = format!("mailto:{email}");
        let contact: &[&str] = if email.is_empty() { &[] } else { &[&contact] };
        if let Some(kept) = store.account().filter(|_| use_kept) {
            let same = serde_json::to_value(&kept.credentials).ok();
            let account = builder().from_credentials(kept.credentials).await;
            let account = account.map_err(|error| self.error(error))?;
            if kept.email != email {
                let changed = account.update_contacts(contact).await;
                changed.map_err(|error| self.error(error))?;
                if let Some(credentials) = same.and_then(|same| serde_json::from_value(same).ok()) {
                    let email = email.into();
                    store.keep_account(&Account { email, credentials })?;
                }
            }
            return Ok(account);
        }
        let new = NewAccount {
            contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = builder()
            .create(&new, self.authority.directory.clone(), None)
            .await;
        let (account, credentials) = made.map_err(|error| self.error(error))?;
        store.keep_account(&Account {
            email: email.into(),
            credentials,
        })?;
        Ok(account)
    }

    async fn obtain(
        &self,
        account: &protocol::Account,
        first: Method,
    ) -> Result<Obtained, AcmeError> {
        let mut refusals = Vec::new();
        for method in [first, first.other()] {
            match self.order(account, method).await {
                // What the CA refuses before it looks, it refuses by any method.
                Err(AcmeError::Validation(more))
                    if more.iter().any(|refusal| refusal.method.is_some()) =>
                {
                    log::info!("the CA could not validate by {method}");
                    refusals.extend(more);
                }
                Err(AcmeError::NotOffered { .. }) if method == first => {}
                Err(AcmeError::NotOffered { .. }) if !refusals.is_empty() => {}
                other => return other,
            }
        }
        Err(AcmeError::Validation(refusals))
    }

    async fn order(
        &self,
        account: &protocol::Account,
        method: Method,
    ) -> Result<Obtained, AcmeError> {
        let names = self.asked.domains.iter().cloned().map(Identifier::Dns);
        let names: Vec<Identifier> = names.collect();
        let order = account.new_order(&NewOrder::new(&names)).await;
        let mut order = order.map_err(|error| self.error(error))?;
        // Withdrawn when the order is over.
        let _answers = self.answer(&mut order, method).await?;
        let status = match order.poll_ready(&POLLING).await {
            Ok(status) => status,
            Err(protocol::Error::Api(problem)) => {
                let refusals = self.refusals(&mut order, method).await;
                return Err(if refusals.is_empty() {
                    self.error(protocol::Error::Api(problem))
                } else {
                    AcmeError::Validation(refusals)
                });
            }
            Err(error) => return Err(self.error(error)),
        };
        if status != OrderStatus::Ready {
            return Err(AcmeError::Validation(
                self.refusals(&mut order, method).await,
            ));
        }
        let key = order.finalize().await.map_err(|error| self.error(error))?;
        let chain = order.poll_certificate(&POLLING).await;
        Ok((key, chain.map_err(|error| self.error(error))?, method))
    }

    /// Puts an answer in place for each name that is not validated yet, and asks the CA to look.
    async fn answer(&self, order: &mut Order, method: Method) -> Result<Vec<InPlace>, AcmeError> {
        let mut answers = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.error(error))?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let Some(mut challenge) = authorization.challenge(method.kind()) else {
                return Err(AcmeError::NotOffered { name });
            };
            let token = challenge.token.clone();
            let answer = challenge.key_authorization();
            answers.push(InPlace::new(self.https, method, &name, token, &answer)?);
            challenge
                .set_ready()
                .await
                .map_err(|error| self.error(error))?;
        }
        Ok(answers)
    }

    /// What the CA found where it looked.
    async fn refusals(&self, order: &mut Order, method: Method) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let name = authorization.identifier().to_string();
            let Ok(state) = authorization.refresh().await else {
                continue;
            };
            let problems = state
                .challenges
                .iter()
                .filter_map(|challenge| challenge.error.as_ref());
            refusals.extend(problems.map(|problem| Refusal::new(&name, Some(method), problem)));
        }
        refusals
    }
}

/// The answer to a challenge, in place until this is dropped.
struct InPlace {
    key: String,
    place: Place,
}

enum Place {
    Http(Arc<Front>),
    TlsAlpn(Arc<Resolver>),
}

impl InPlace {
    fn new(
        https: &Https,
        method: Method,
        name: &str,
        token: String,
        answer: &KeyAuthorization,
    ) -> Result<Self, AcmeError> {
        match (method, https.resolver()) {
            (Method::TlsAlpn, Some(resolver)) => {
                let certificate = challenge_certificate(name, answer.digest().as_ref());
                let certificate =
                    certificate.map_err(|error| AcmeError::Local(error.to_string()))?;
                resolver.add_challenge(name, certificate);
                Ok(Self {
                    key: name.into(),
                    place: Place::TlsAlpn(resolver.clone()),
                })
            }
            _ => {
                https.front().add_challenge(&token, answer.as_str());
                Ok(Self {
                    key: token,
                    place: Place::Http(https.front().clone()),
                })
            }
        }
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        match &self.place {
            Place::Http(front) => front.remove_challenge(&self.key),
            Place::TlsAlpn(resolver) => resolver.remove_challenge(&self.key),
        }
    }
}
