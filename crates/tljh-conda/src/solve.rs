//! `solve`: which packages a change makes of an environment, with as few changes as can be.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rattler::install::Transaction;
use rattler_conda_types::{
    GenericVirtualPackage, MatchSpec, Matches as _, PackageName, RepoDataRecord, Version,
};
use rattler_repodata_gateway::RepoData;
use rattler_solve::{ChannelPriority, SolveError, SolverImpl as _, SolverTask, resolvo};
use rattler_virtual_packages::{VirtualPackageOverrides, VirtualPackages};

use crate::channels::Channels;
use crate::error::CondaError;
use crate::index::Index;
use crate::installed::{self, name};
use crate::protocol::{SolveAnswer, SolveRequest, SolveSeconds, Step};
use crate::spec::{self, Spec};
use crate::{cache, conflict, index, progress};

/// A choice that takes longer is no choice for people who wait.
const PATIENCE: Duration = Duration::from_secs(300);
/// Names so alike are offered for one that does not exist (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.85;

/// Answers a request.
///
/// # Errors
/// The request is refused, an index cannot be had, or no choice is possible.
pub async fn run(request: SolveRequest) -> Result<SolveAnswer, CondaError> {
    let channels = Channels::parse_some(&request.channels)?;
    let change = Change::read(&request)?;
    let index = Index::new(channels, &request.cache, request.offline)?;

    let began = Instant::now();
    let phase = progress::phase(format!(
        "reading the index of {}",
        index.names_of_channels()
    ));
    let available = index.records(&change.names_to_read(), true).await?;
    change.ensure_known(&index, &available).await?;
    let machine = machine(&request.cache)?;
    phase.done();
    let repodata = began.elapsed();

    let began = Instant::now();
    let phase = progress::phase("choosing packages".into());
    let mut packages = change.choose(&available, &machine)?;
    packages.sort_by(|one, other| name(one).cmp(name(other)));
    phase.done();
    let solve = began.elapsed();

    let (steps, changed) = steps(&change.installed, &packages)?;
    let cached = cache::packages(&request.cache)?
        .index()
        .await
        .map_err(|source| CondaError::Folder {
            action: "read",
            path: request.cache.clone(),
            source,
        })?;
    let bytes = |record: &&RepoDataRecord| record.package_record.size.unwrap_or(0);
    let download = changed
        .iter()
        .filter(|record| !cached.contains_record(record))
        .map(bytes)
        .sum();
    let size = changed.iter().map(bytes).sum();
    Ok(SolveAnswer {
        steps,
        download,
        size,
        packages,
        seconds: SolveSeconds {
            repodata: repodata.as_secs_f64(),
            solve: solve.as_secs_f64(),
        },
    })
}

/// A change of an environment.
struct Change {
    installed: Vec<RepoDataRecord>,
    going: HashSet<PackageName>,
    released: HashSet<PackageName>,
    wanted: Vec<Spec>,
    kept: Vec<Spec>,
    constraints: Vec<Spec>,
}

impl Change {
    fn read(request: &SolveRequest) -> Result<Self, CondaError> {
        let wanted = spec::parse_all(&request.install)?;
        let kept = spec::parse_all(&request.keep)?;
        let constraints = spec::parse_all(&request.constrain)?;
        let removed = spec::parse_names(&request.remove)?;
        let updated = spec::parse_names(&request.update)?;
        let installed: Vec<RepoDataRecord> = match &request.prefix {
            Some(prefix) => installed::read(prefix)?
                .into_iter()
                .map(|record| record.repodata_record)
                .collect(),
            None => Vec::new(),
        };
        let present: HashSet<_> = installed
            .iter()
            .map(|record| name(record).clone())
            .collect();
        let absent: Vec<_> = removed
            .iter()
            .chain(&updated)
            .filter(|name| !present.contains(*name))
            .map(|name| name.as_normalized().to_owned())
            .collect();
        if !absent.is_empty() {
            return Err(CondaError::NotInstalled { names: absent });
        }
        let going = installed::with_dependents(&installed, &removed);
        let named: HashSet<_> = wanted.iter().map(|spec| spec.name.clone()).collect();
        let kept = kept
            .into_iter()
            .filter(|spec| !named.contains(&spec.name) && !going.contains(&spec.name))
            .collect();
        Ok(Self {
            released: if request.update_all {
                present
            } else {
                updated.into_iter().collect()
            },
            installed,
            going,
            wanted,
            kept,
            constraints,
        })
    }

    /// What of the index is needed.
    fn names_to_read(&self) -> Vec<MatchSpec> {
        let names: HashSet<_> = self
            .wanted
            .iter()
            .chain(&self.kept)
            .map(|spec| spec.name.clone())
            .chain(self.staying().map(|record| name(record).clone()))
            .collect();
        names.into_iter().map(MatchSpec::from).collect()
    }

    fn staying(&self) -> impl Iterator<Item = &RepoDataRecord> {
        self.installed
            .iter()
            .filter(|record| !self.going.contains(name(record)))
    }

    /// Tells a misspelt name or version from a conflict.
    async fn ensure_known(&self, index: &Index, available: &[RepoData]) -> Result<(), CondaError> {
        let mut versions: HashMap<&PackageName, &Version> = HashMap::new();
        let mut met = HashSet::new();
        let present = self.staying();
        for record in available.iter().flatten().chain(present) {
            let newest = versions
                .entry(name(record))
                .or_insert_with(|| record.package_record.version.version());
            *newest = (*newest).max(record.package_record.version.version());
            for (at, spec) in self.wanted.iter().enumerate() {
                if spec.name == *name(record) && spec.matching.matches(record) {
                    met.insert(at);
                }
            }
        }
        for (at, spec) in self.wanted.iter().enumerate() {
            if met.contains(&at) || spec.name.as_normalized().starts_with("__") {
                continue;
            }
            let called = spec.name.as_normalized().to_owned();
            return Err(match versions.get(&spec.name) {
                Some(newest) => CondaError::NoVersion {
                    name: called,
                    spec: spec.matching.to_string(),
                    newest: newest.to_string(),
                },
                None => CondaError::Unknown {
                    near: near(&called, &index.names().await.unwrap_or_default()),
                    name: called,
                    channels: index.names_of_channels().into(),
                },
            });
        }
        Ok(())
    }

    /// Everything that is installed stays there if it can; what nobody asked for goes if it must.
    fn choose(
        &self,
        available: &[RepoData],
        machine: &[GenericVirtualPackage],
    ) -> Result<Vec<RepoDataRecord>, CondaError> {
        let named: HashSet<_> = self
            .wanted
            .iter()
            .chain(&self.kept)
            .map(|spec| &spec.name)
            .collect();
        let others = self
            .staying()
            .filter(|record| !named.contains(name(record)))
            .map(|record| MatchSpec::from(name(record).clone()));
        let asked: Vec<_> = self
            .wanted
            .iter()
            .chain(&self.kept)
            .map(|spec| spec.matching.clone())
            .collect();
        let all = asked.iter().cloned().chain(others).collect();
        let failure = match self.solve(all, available, machine) {
            Ok(packages) => return Ok(packages),
            Err(SolveError::Unsolvable(explanation)) => explanation,
            Err(error) => return Err(failed(error)),
        };
        if !self.kept.is_empty()
            && let Ok(packages) = self.solve(asked, available, machine)
        {
            return Ok(packages);
        }
        Err(CondaError::Conflict {
            explanation: conflict::shorten(&failure),
            names: self
                .wanted
                .iter()
                .map(|spec| spec.name.as_normalized().to_owned())
                .chain(
                    self.released
                        .iter()
                        .map(|name| name.as_normalized().to_owned()),
                )
                .collect(),
        })
    }

    fn solve(
        &self,
        specs: Vec<MatchSpec>,
        available: &[RepoData],
        machine: &[GenericVirtualPackage],
    ) -> Result<Vec<RepoDataRecord>, SolveError> {
        let task = SolverTask {
            locked_packages: self
                .staying()
                .filter(|record| !self.released.contains(name(record)))
                .collect(),
            virtual_packages: machine.to_vec(),
            specs,
            constraints: self
                .constraints
                .iter()
                .map(|spec| spec.matching.clone())
                .collect(),
            timeout: Some(PATIENCE),
            channel_priority: ChannelPriority::Strict,
            ..available.iter().collect()
        };
        Ok(resolvo::Solver.solve(task)?.records)
    }
}

/// What changes, by name, and the packages that come, as `link` will do it.
fn steps<'a>(
    before: &[RepoDataRecord],
    after: &'a [RepoDataRecord],
) -> Result<(Vec<Step>, Vec<&'a RepoDataRecord>), CondaError> {
    let transaction =
        Transaction::from_current_and_desired(before, after, None, None, index::platform()?)
            .map_err(|error| CondaError::Transaction(error.into()))?;
    let version = |record: &&RepoDataRecord| record.package_record.version.to_string();
    let mut steps: Vec<_> = transaction
        .operations
        .iter()
        .filter_map(|operation| {
            let (old, new) = (operation.record_to_remove(), operation.record_to_install());
            Some(Step {
                name: name(new.or(old)?).as_normalized().into(),
                before: old.map(version),
                after: new.map(version),
            })
        })
        .collect();
    steps.sort_by(|one, other| one.name.cmp(&other.name));
    let changed = transaction.installed_packages().copied().collect();
    Ok((steps, changed))
}

/// What this machine is able to run; `CONDA_OVERRIDE_CUDA` and the like have their say.
fn machine(cache: &Path) -> Result<Vec<GenericVirtualPackage>, CondaError> {
    let found = VirtualPackages::detect(&VirtualPackageOverrides::from_env(), Some(cache))
        .map_err(|error| CondaError::Machine(error.into()))?;
    Ok(found.into_generic_virtual_packages().collect())
}

fn near(wanted: &str, names: &[PackageName]) -> Vec<String> {
    let mut alike: Vec<_> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name.as_normalized()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0));
    alike
        .into_iter()
        .take(3)
        .map(|(_, name)| name.as_normalized().to_owned())
        .collect()
}

fn failed(error: SolveError) -> CondaError {
    match error {
        SolveError::Cancelled => CondaError::Endless {
            seconds: PATIENCE.as_secs(),
        },
        error => CondaError::Solve(error.into()),
    }
}
