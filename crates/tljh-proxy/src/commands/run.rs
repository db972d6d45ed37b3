//! `tljh-proxy run`

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::RunOptions;
use crate::error::Error;
use crate::handover::{Control, Handover, Held, Name, Predecessor};
use crate::https::Https;
use crate::listen::Place;
use crate::routes::{Rules, Store, Table};
use crate::serve::{self, Sockets};
use crate::settings::{Settings, compose};

/// Serves until SIGTERM or SIGINT, or until a successor has taken over and the last connection has ended.
pub fn run(options: &RunOptions) -> Result<(), Error> {
    let runtime_dir = options.folders.runtime_dir.as_deref();
    let (predecessor, mut held) = match runtime_dir {
        Some(folder) if options.take_over => {
            let (predecessor, held) =
                Predecessor::ask(folder).map_err(|source| Error::NotRunning {
                    path: Control::path(folder),
                    source,
                })?;
            (Some(predecessor), held)
        }
        _ => {
            let kept = Held::from_systemd().map_err(|source| Error::Kept { source })?;
            (None, kept)
        }
    };
    if let (Some(settings), Some(token)) = (&options.settings, &options.token_file) {
        held.insert_settings(&compose(settings, token)?)
            .map_err(|source| Error::HoldSettings { source })?;
    }
    let text = held
        .settings()
        .map_err(|source| Error::HandedSettings { source })?
        .ok_or(Error::NoSettings)?;
    let settings = Settings::parse(&text)?;

    let (secure, file) = (settings.https()?, settings.file());
    let sockets = Sockets {
        http: ensure_open(&mut held, Name::Http, &settings.http()?)?.into(),
        https: secure
            .map(|place| ensure_open(&mut held, Name::Https, &place))
            .transpose()?
            .map(Into::into),
        file: file
            .map(|place| ensure_open(&mut held, Name::Socket, &place))
            .transpose()?
            .map(Into::into),
        api: ensure_open(&mut held, Name::Api, &settings.api())?.into(),
    };
    let https = Https::open(&settings, options.folders.state_dir()?)?;
    let table = Table::load(
        Store::new(options.folders.state_dir()?.into()),
        Rules {
            host_routing: settings.host_routing,
            hub_wait: Duration::from_secs(settings.hub_wait),
        },
    );
    let control = runtime_dir.map(|folder| {
        Control::prepare(folder, held).map_err(|source| Error::Control {
            path: Control::path(folder),
            source,
        })
    });
    let handover = Handover {
        predecessor,
        control: control.transpose()?,
    };
    let trust = Arc::new(settings.trusted_proxies);
    serve::serve(sockets, table, https, trust, settings.token, handover)
}

/// The socket of this name, opened here where none was handed over. What is handed over stays in `held` for a successor.
fn ensure_open(held: &mut Held, name: Name, place: &Place) -> Result<OwnedFd, Error> {
    let kept = |held: &Held| {
        held.listener(name, |bound| place.fits(bound))
            .map_err(|source| Error::Runtime { source })
    };
    if let Some(listener) = kept(held)? {
        return Ok(listener);
    }
    let listener = place.bind()?;
    let copy = listener
        .try_clone()
        .map_err(|source| Error::Runtime { source })?;
    held.insert(name, copy);
    Ok(listener)
}
