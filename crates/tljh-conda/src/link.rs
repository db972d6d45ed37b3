//! `link`: a prefix holds exactly the given packages.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use rattler::install::{Installer, InstallerError, LinkOptions, Transaction};
use rattler_cache::package_cache::PackageCache;
use rattler_conda_types::{MatchSpec, PrefixRecord, RepoDataRecord};
use reqwest_middleware::ClientWithMiddleware;
use tljh_machine::files;

use crate::channels::Channels;
use crate::error::{CondaError, is_disk_full};
use crate::fetch::Fetcher;
use crate::installed::{self, name};
use crate::protocol::{Clobbered, LinkAnswer, LinkRequest, LinkSeconds};
use crate::{cache, history, index, network, prepare, progress, space, spec};

/// Answers a request.
///
/// # Errors
/// The request is refused, a package cannot be had, or the prefix cannot be changed. Only in the last case is the
/// prefix another than before; the same request then goes on where this one ended.
pub async fn run(request: LinkRequest) -> Result<LinkAnswer, CondaError> {
    let target = request.target_prefix.as_ref().unwrap_or(&request.prefix);
    for path in [&request.cache, &request.prefix, target] {
        ensure_absolute(path)?;
    }
    let specs: Vec<MatchSpec> = spec::parse_all(&request.specs)?
        .into_iter()
        .map(|spec| spec.matching)
        .collect();
    let channels = Channels::parse(&request.channels)?;
    let installed = installed::read(&request.prefix)?;
    let transaction = Transaction::from_current_and_desired(
        installed.iter(),
        request.packages.iter(),
        None,
        None,
        index::platform()?,
    )
    .map_err(|error| CondaError::Transaction(error.into()))?
    .to_owned();
    let come: Vec<RepoDataRecord> = transaction.installed_packages().cloned().collect();

    let began = Instant::now();
    let packages = cache::packages(&request.cache)?;
    let turn = cache::turn(&request.cache, &packages).await?;
    let client = network::client(channels.logins)?;
    let fetcher = Fetcher {
        cache: request.cache.clone(),
        packages: packages.clone(),
        client: client.clone(),
        offline: request.offline,
    };
    let fetched = fetcher.fetch(&come).await?;
    drop(turn);
    let fetch = began.elapsed();

    let began = Instant::now();
    let folders: HashMap<_, _> = come
        .iter()
        .map(|record| name(record).as_normalized().to_owned())
        .zip(fetched.folders)
        .collect();
    let arrivals = prepare::read_arrivals(&come, &folders, transaction.python_info.as_ref())?;
    let copied = if space::is_same_file_system(&request.cache, &request.prefix) {
        arrivals.rewritten
    } else {
        arrivals.rewritten + arrivals.linked
    };
    space::ensure(&request.prefix, copied)?;
    for package in &arrivals.scripts {
        log::warn!("`{package}` has a script for when it is linked or unlinked, which is not run");
    }
    let gone: Vec<PrefixRecord> = transaction.removed_packages().cloned().collect();
    let phase = progress::phase(format!("linking {} packages", come.len()));
    prepare::ensure_own_files(&request.prefix, &arrivals, &transaction)?;
    let clobbered = install(&request, installed, packages, client, specs).await?;
    prepare::ensure_readable_records(&request.prefix)?;
    // rattler has backups leave environments out, but nobody can make this one again from elsewhere.
    files::ensure_absent(&request.prefix.join("CACHEDIR.TAG"))?;
    if !come.is_empty() || !gone.is_empty() {
        history::add(&request.prefix, &gone, &come, &request.specs)?;
    }
    phase.done();
    Ok(LinkAnswer {
        linked: come.len(),
        unlinked: gone.len(),
        downloaded: fetched.downloaded,
        clobbered,
        seconds: LinkSeconds {
            fetch: fetch.as_secs_f64(),
            link: began.elapsed().as_secs_f64(),
        },
    })
}

fn ensure_absolute(path: &Path) -> Result<(), CondaError> {
    if path.is_absolute() {
        Ok(())
    } else {
        Err(CondaError::Relative { path: path.into() })
    }
}

/// Has rattler do it; returns paths that more than one package has, sorted.
async fn install(
    request: &LinkRequest,
    installed: Vec<PrefixRecord>,
    packages: PackageCache,
    client: ClientWithMiddleware,
    specs: Vec<MatchSpec>,
) -> Result<Vec<Clobbered>, CondaError> {
    let target = request.target_prefix.as_ref().unwrap_or(&request.prefix);
    let mut installer = Installer::new()
        .with_installed_packages(installed)
        .with_package_cache(packages)
        .with_download_client(client)
        .with_alternative_target_prefix(target)
        .with_link_options(LinkOptions {
            allow_symbolic_links: Some(true),
            ..LinkOptions::default()
        });
    if !specs.is_empty() {
        installer.set_requested_specs(specs);
    }
    let done = installer
        .install(&request.prefix, request.packages.iter().cloned())
        .await
        .map_err(|source| failed(request, source))?;
    let mut clobbered: Vec<_> = done
        .clobbered_paths
        .into_iter()
        .map(|(path, packages)| Clobbered {
            path,
            package: packages.package.as_normalized().into(),
            others: packages
                .other_packages
                .iter()
                .map(|other| other.as_normalized().into())
                .collect(),
        })
        .collect();
    clobbered.sort_by(|one, other| one.path.cmp(&other.path));
    for one in &clobbered {
        log::warn!(
            "`{}` is in `{}` and in `{}`; it is that of `{}`",
            one.path.display(),
            one.package,
            one.others.join("`, `"),
            one.package
        );
    }
    Ok(clobbered)
}

fn failed(request: &LinkRequest, source: InstallerError) -> CondaError {
    let path = request.prefix.clone();
    if is_disk_full(&source) {
        CondaError::DiskFull {
            path,
            source: source.into(),
        }
    } else {
        CondaError::Link {
            path,
            source: source.into(),
        }
    }
}
