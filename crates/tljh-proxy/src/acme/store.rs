//! What a CA gave: the account and the certificate, each in a file of mode 0600 that is replaced as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use super::error::AcmeError;
use crate::durable;
use crate::tls::Certificate;

/// The folder of one directory of a CA.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// An account at a CA.
#[derive(Serialize, Deserialize)]
pub struct Account {
    /// Whom the CA was told that it may write to.
    pub email: String,
    /// The key, and the account's URL.
    pub credentials: AccountCredentials,
}

impl Store {
    /// What the CA with this directory gave, below `folder`.
    pub fn new(folder: &Path, directory: &str) -> Self {
        let name = directory.trim_start_matches("https://");
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
        let name = name.replace(|letter| !is_plain(letter), "-");
        Self {
            folder: folder.join(name.trim_start_matches('.')),
        }
    }

    /// The account, if there is one that can be read.
    pub fn account(&self) -> Option<Account> {
        let path = self.account_path();
        let text = read(&path)?;
        serde_json::from_slice(&text)
            .inspect_err(|_| log::warn!("making a new account: `{}` is damaged", path.display()))
            .ok()
    }

    /// Keeps an account.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep_account(&self, account: &Account) -> Result<(), AcmeError> {
        let path = self.account_path();
        let text = serde_json::to_vec(account).map_err(io::Error::from);
        text.and_then(|text| durable::replace(&path, &text))
            .map_err(|source| AcmeError::Store { path, source })
    }

    /// The certificate, if there is one that can be served.
    pub fn certificate(&self) -> Option<Certificate> {
        let path = self.certificate_path();
        let text = String::from_utf8(read(&path)?).unwrap_or_default();
        Certificate::from_pem(&text, &text)
            .inspect_err(|error| log::warn!("going on without `{}`: {error}", path.display()))
            .ok()
    }

    /// Keeps a certificate: its key, and its chain.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep_certificate(&self, key: &str, chain: &str) -> Result<(), AcmeError> {
        let path = self.certificate_path();
        // One file: a key is never found beside the chain of another.
        let text = format!("{}\n{}\n", key.trim_end(), chain.trim_end());
        durable::replace(&path, text.as_bytes()).map_err(|source| AcmeError::Store { path, source })
    }

    fn account_path(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    fn certificate_path(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    match fs::read(path) {
        Ok(text) => Some(text),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("could not read `{}`: {error}", path.display());
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_directory_has_a_folder_of_its_own_that_stays_inside() {
        let folder = |url| Store::new(Path::new("/acme"), url).folder;
        assert_eq!(
            folder("https://acme-v02.api.letsencrypt.org/directory"),
            Path::new("/acme/acme-v02.api.letsencrypt.org-directory")
        );
        assert_eq!(folder("https://../../x"), Path::new("/acme/-..-x"));
        assert_eq!(folder("https://../x").parent(), Some(Path::new("/acme")));
    }

    #[test]
    fn a_certificate_is_kept_with_its_key_in_one_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "https://ca.test/dir");
        assert!(store.certificate().is_none());
        let made = rcgen::generate_simple_self_signed(["h.test".to_string()]).unwrap();
        let (key, chain) = (made.signing_key.serialize_pem(), made.cert.pem());
        store.keep_certificate(&key, &chain).unwrap();
        assert_eq!(store.certificate().unwrap().facts.names, ["h.test"]);
        let mode = fs::metadata(store.certificate_path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(store.certificate_path(), "half a fi").unwrap();
        assert!(store.certificate().is_none());
    }
}
