//! `tljh-proxy reload-certificate`

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::SettingsFiles;
use crate::error::Error;
use crate::https::read_own;
use crate::settings::{OwnCertificate, Settings, compose};
use crate::watched::run as run_program;

/// How long certificate and key may take until they belong together: they are two files, written one after the other.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// Has the running proxy replaced by one with the own certificate of now, as often as that changes meanwhile. One that
/// cannot be used is left alone.
pub fn run(files: &SettingsFiles) -> Result<(), Error> {
    let mut before = None;
    while let Some(own) = await_usable(files)? {
        let now = (own.cert, own.key.expose().to_string());
        if before.as_ref() == Some(&now) {
            break;
        }
        run_program(
            "systemctl",
            &["try-reload-or-restart", "tljh-proxy.service"],
        )
        .map_err(|source| Error::Reload { source })?;
        before = Some(now);
    }
    Ok(())
}

/// The own certificate, once it can be used; `None` if the settings name none.
fn await_usable(files: &SettingsFiles) -> Result<Option<OwnCertificate>, Error> {
    let begin = Instant::now();
    loop {
        let settings = Settings::parse(&compose(&files.settings, &files.token_file)?)?;
        let Some(own) = settings.https.and_then(|https| https.certificate) else {
            return Ok(None);
        };
        match read_own(&own) {
            Ok(_) => return Ok(Some(own)),
            Err(trouble) if begin.elapsed() > PATIENCE => {
                return Err(Error::OwnCertificate { what: trouble.what });
            }
            Err(_) => sleep(LOOK),
        }
    }
}
