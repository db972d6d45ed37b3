//! Requests to channels: with deadlines, logins, and a few attempts.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use crate::channels::Login;
use crate::error::CondaError;

/// A server that has not taken the connection by then will not.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that was silent for so long has broken off.
const SILENCE: Duration = Duration::from_secs(30);
/// Attempts, the first included.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; twice that before the third.
const PAUSE: Duration = Duration::from_millis(500);

/// A client that shows each channel the login it wants.
///
/// # Errors
/// The system's certificate authorities cannot be read.
pub fn client(logins: Vec<Login>) -> Result<ClientWithMiddleware, CondaError> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("tljh-conda/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|source| CondaError::Network {
            url: "the network".into(),
            source: source.into(),
        })?;
    Ok(ClientBuilder::new(client)
        .with_arc(Arc::new(Logins(logins)))
        .build())
}

struct Logins(Vec<Login>);

#[async_trait]
impl Middleware for Logins {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let url = request.url().clone();
        for login in &self.0 {
            login.apply(&mut request);
        }
        next.run(request, extensions)
            .await
            .map_err(|error| match error {
                reqwest_middleware::Error::Reqwest(error) => error.with_url(url).into(),
                error => error,
            })
    }
}

/// Does `what` up to three times, as long as it fails in a way that may pass.
///
/// # Errors
/// The last attempt's.
pub async fn retried<T, F>(mut what: impl FnMut() -> F) -> Result<T, CondaError>
where
    F: Future<Output = Result<T, CondaError>>,
{
    let mut attempt = 1;
    loop {
        match what().await {
            Err(error) if attempt < ATTEMPTS && error.is_transient() => {
                log::warn!("{}; trying again", error.message());
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// The sort of failure that an HTTP status is.
pub fn refused(url: String, status: u16) -> CondaError {
    match status {
        401 | 403 => CondaError::Login { url },
        _ => CondaError::Status { url, status },
    }
}

/// A failed request, without the address that may have a token in it.
pub fn broken(url: String, error: reqwest_middleware::Error) -> CondaError {
    let source: Box<dyn Error + Send + Sync> = match error {
        reqwest_middleware::Error::Reqwest(error) => error.without_url().into(),
        reqwest_middleware::Error::Middleware(error) => error.into(),
    };
    CondaError::Network { url, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_three_times_and_all_else_once() {
        let count = |status: u16| async move {
            let mut attempts = 0;
            let result: Result<(), _> = retried(|| {
                attempts += 1;
                std::future::ready(Err(refused("https://example.org".into(), status)))
            })
            .await;
            assert!(result.is_err());
            attempts
        };
        assert_eq!(count(500).await, 3);
        assert_eq!(count(404).await, 1);
        assert_eq!(count(401).await, 1);
    }
}
