//! An own certificate: read at the start, and again when its files change.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{Https, Trouble};
use crate::settings::OwnCertificate;
use crate::tls::{Certificate, CertificateError};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// The certificate of these settings, whose files were read by whoever may.
pub fn read(own: &OwnCertificate) -> Result<Certificate, Trouble> {
    let trouble = |what: String, path: &Path| Trouble {
        at: SystemTime::now(),
        what,
        hint: Some(format!("run `sudo ls -lL {}`", path.display())),
    };
    if let Some(problem) = &own.problem {
        return Err(trouble(problem.clone(), &own.cert_file));
    }
    Certificate::from_pem(&own.cert, own.key.expose()).map_err(|error| {
        let path = match error {
            CertificateError::NoKey
            | CertificateError::OtherKey
            | CertificateError::Unusable(_) => &own.key_file,
            CertificateError::NoCertificate | CertificateError::Malformed => &own.cert_file,
        };
        trouble(
            format!("`{}` cannot be served with: {error}", path.display()),
            path,
        )
    })
}

/// Serves what is in the files whenever that changes, for ever. Where the files are not this user's to read, whoever may
/// has to start the proxy anew.
pub async fn watch(own: &OwnCertificate, https: &Https) {
    let mut seen = stamp(own);
    let mut told = None;
    loop {
        sleep(LOOK).await;
        let now = stamp(own);
        if now == seen || now.is_none() {
            continue;
        }
        let mut files = own.clone();
        let read = spawn_blocking(move || {
            files.read_files();
            read(&files)
        });
        match read.await {
            Ok(Ok(certificate)) => {
                log::info!(
                    "serving the new certificate of `{}`",
                    own.cert_file.display()
                );
                https.install(certificate).await;
                (seen, told) = (now, None);
            }
            // One of both files may be replaced a moment after the other.
            Ok(Err(trouble)) if told != now => {
                told = now;
                log::warn!("going on with the old certificate: {}", trouble.what);
                https
                    .status()
                    .update(|status| status.last_error = Some(trouble))
                    .await;
            }
            _ => {}
        }
    }
}

/// What changes when a file is written or replaced; `None` where the files cannot be read.
fn stamp(own: &OwnCertificate) -> Option<[(SystemTime, u64, u64); 2]> {
    let stamp = |path: &Path| {
        let file = File::open(path).and_then(|file| file.metadata());
        let metadata: fs::Metadata = file.ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    Some([stamp(&own.cert_file)?, stamp(&own.key_file)?])
}
