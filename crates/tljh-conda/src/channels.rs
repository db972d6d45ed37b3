//! Channels, and the logins that their addresses carry.
//!
//! A login is taken out of the address at once and put back only into requests that go out, so that whatever prints
//! or stores an address has none to give away.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use rattler_conda_types::{Channel, ChannelConfig};
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tljh_terminal::Secret;
use url::Url;

use crate::error::CondaError;

/// The channels of a request.
#[derive(Debug, Default)]
pub struct Channels {
    /// In the order of their priority, without logins.
    pub list: Vec<Channel>,
    /// Logins of those that have one.
    pub logins: Vec<Login>,
}

/// What a channel wants to see.
#[derive(Debug)]
pub struct Login {
    base: Url,
    token: Option<Secret>,
    authorization: Option<Secret>,
}

impl Channels {
    /// Reads names and addresses.
    ///
    /// # Errors
    /// One is neither.
    pub fn parse(texts: &[String]) -> Result<Self, CondaError> {
        let mut channels = Self::default();
        for text in texts {
            channels.add(text.trim())?;
        }
        Ok(channels)
    }

    /// As [`Self::parse`], of at least one.
    ///
    /// # Errors
    /// There is none, or one is wrong.
    pub fn parse_some(texts: &[String]) -> Result<Self, CondaError> {
        if texts.is_empty() {
            return Err(refused("", "at least one is needed"));
        }
        Self::parse(texts)
    }

    /// The channels as people call them, separated by commas.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.list.iter().map(Channel::canonical_name).collect();
        names.join(", ")
    }

    fn add(&mut self, text: &str) -> Result<(), CondaError> {
        if !text.contains("://") {
            self.list.push(named(text)?);
            return Ok(());
        }
        let mut url = Url::parse(text).map_err(|error| refused("", &error.to_string()))?;
        let token = take_token(&mut url);
        let authorization = take_password(&mut url);
        let shown = url.to_string();
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        match url.scheme() {
            "http" | "https" if has_host => {}
            "file" if !has_host => {}
            "file" => return Err(refused(&shown, "a `file` address begins with `file:///`")),
            _ => {
                return Err(refused(
                    &shown,
                    "only `https`, `http` and `file` addresses are taken",
                ));
            }
        }
        if url.query().is_some() || url.fragment().is_some() {
            url.set_query(None);
            url.set_fragment(None);
            return Err(refused(url.as_str(), "it has a `?` or `#` in it"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        if token.is_some() || authorization.is_some() {
            self.logins.push(Login {
                base: url.clone(),
                token,
                authorization,
            });
        }
        self.list.push(Channel::from_url(url));
        Ok(())
    }
}

impl Login {
    /// Puts the login into `request` if that goes to the channel.
    pub fn apply(&self, request: &mut Request) {
        let url = request.url();
        if url.origin() != self.base.origin() || !url.path().starts_with(self.base.path()) {
            return;
        }
        if let Some(token) = &self.token {
            let path = format!("/t/{}{}", token.expose(), url.path());
            request.url_mut().set_path(&path);
        }
        if let Some(value) = &self.authorization
            && let Ok(mut value) = HeaderValue::from_str(value.expose())
        {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
    }
}

fn named(text: &str) -> Result<Channel, CondaError> {
    let good = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    if !text.split('/').all(good) {
        return Err(refused(
            text,
            "a name such as `conda-forge`, or an address such as `https://mirror.example.org/conda-forge`, is needed",
        ));
    }
    let config = ChannelConfig::default_with_root_dir(Path::new("/").into());
    Channel::from_str(text, &config).map_err(|error| refused(text, &error.to_string()))
}

/// `/t/TOKEN/` at the beginning of the path, as Anaconda's servers have it.
fn take_token(url: &mut Url) -> Option<Secret> {
    let (token, rest) = url.path().strip_prefix("/t/")?.split_once('/')?;
    let (token, rest) = (Secret::new(token), format!("/{rest}"));
    url.set_path(&rest);
    Some(token)
}

/// User and password, as the header that says them (RFC 7617).
fn take_password(url: &mut Url) -> Option<Secret> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    // Neither fails for a scheme that has hosts; others are refused anyway.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    Some(Secret::new(format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )))
}

fn refused(channel: &str, reason: &str) -> CondaError {
    CondaError::Channel {
        channel: channel.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request::new(reqwest::Method::GET, Url::parse(url).unwrap())
    }

    #[test]
    fn names_and_addresses_are_taken() {
        let texts = [
            "conda-forge",
            "https://mirror.example.org/conda-forge",
            "http://127.0.0.1:8000/channel/",
            "file:///srv/channel",
            "conda-forge/label/rc",
        ];
        let channels = Channels::parse(&texts.map(String::from)).unwrap();
        assert_eq!(channels.list.len(), texts.len());
        assert!(channels.logins.is_empty());
    }

    #[test]
    fn what_is_no_channel_is_refused() {
        for text in [
            "",
            "--override",
            "/srv/channel",
            "../channel",
            "a b",
            "ftp://example.org/x",
            "file://host/srv",
            "https://example.org/x?y=z",
            "conda-forge[linux-64]",
        ] {
            assert!(Channels::parse(&[text.into()]).is_err(), "{text}");
        }
        assert!(Channels::parse_some(&[]).is_err());
    }

    #[test]
    fn a_login_goes_to_its_channel_alone_and_is_never_shown() {
        let texts = [
            "https://teacher:s%40crets@one.example.org/channel",
            "https://two.example.org/t/to-ken/channel",
        ];
        let channels = Channels::parse(&texts.map(String::from)).unwrap();
        let shown = format!("{channels:?} {}", channels.names());
        for secret in ["s@crets", "s%40crets", "to-ken", "teacher"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        let mut one = request("https://one.example.org/channel/noarch/repodata.json");
        let mut two = request("https://two.example.org/channel/noarch/repodata.json");
        let mut beside = request("https://one.example.org/channels/noarch/repodata.json");
        let mut other = request("http://one.example.org/channel/noarch/repodata.json");
        for login in &channels.logins {
            for request in [&mut one, &mut two, &mut beside, &mut other] {
                login.apply(request);
            }
        }
        assert_eq!(one.headers()[AUTHORIZATION], "Basic dGVhY2hlcjpzQGNyZXRz");
        assert_eq!(two.url().path(), "/t/to-ken/channel/noarch/repodata.json");
        for request in [beside, other] {
            assert!(request.headers().is_empty());
            assert!(!request.url().path().contains("/t/"));
        }
    }

    #[test]
    fn a_refused_address_is_shown_without_its_login() {
        for text in [
            "ftp://teacher:secret@example.org/x",
            "https://teacher:secret@example.org/x#y",
            "https://example.org/t/secret/x?y",
        ] {
            let error = Channels::parse(&[text.into()]).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
