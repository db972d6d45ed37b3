//! `tljh-proxy listen`

use std::io;

use crate::cli::ListenOptions;
use crate::error::Error;
use crate::handover::{Held, Name, addresses, held_by_manager, keep, offer};
use crate::settings::{Settings, compose};
use crate::watched::ensure_watched;

/// Opens what is not open yet, and gives all of it to systemd and to the running proxy, if there is one.
pub fn run(options: &ListenOptions) -> Result<(), Error> {
    let text = compose(&options.files.settings, &options.files.token_file)?;
    let settings = Settings::parse(&text)?;
    let runtime_dir = options.runtime_dir.as_deref();
    let ask = |source: io::Error| Error::Ask { source };
    let mut open = held_by_manager();
    if let Some(folder) = runtime_dir {
        open.extend(addresses(folder).map_err(ask)?);
    }

    let mut new = Held::default();
    new.insert_settings(&text)
        .map_err(|source| Error::HoldSettings { source })?;
    let mut wanted = vec![Name::Settings];
    for (name, place) in settings.sockets()? {
        wanted.push(name);
        // Should it be open for somebody else, `run` finds that it was not given the socket, and says who has it.
        let is_open = open.iter().any(|bound| place.fits(bound)) && place.ensure_reachable()?;
        if !is_open {
            new.insert(name, place.bind()?);
        }
    }
    keep(&new, &wanted).map_err(|source| Error::Keep { source })?;
    runtime_dir.map_or(Ok(()), |folder| offer(folder, &new, &wanted).map_err(ask))?;
    let own = settings
        .https
        .as_ref()
        .and_then(|https| https.certificate.as_ref());
    if sd_notify::booted().unwrap_or(false)
        && let Err(error) = ensure_watched(own)
    {
        log::warn!("a new certificate will not be noticed by itself: {error}");
    }
    Ok(())
}
