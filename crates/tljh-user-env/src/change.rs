//! A change of the environment: planned, made in a clone, tried out, and switched to.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tljh_machine::{Paths, Runner, Systemd, files};

use crate::build::{check_space, ensure_hooks};
use crate::bundle::Bundle;
use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::manifest::{self, Difference, Package, differences, read_manifest};
use crate::record::Record;
use crate::requirement::Requirement;
use crate::turn::Turn;
use crate::uv::{Step, Uv, read_steps};
use crate::verify::{SERVER, verify};

/// What uv fetches and unpacks; kept, so that a second attempt is fast.
pub const CACHE: &str = "cache";
/// Byte-compiles what came, and keeps a copy of it.
const COMPILATION: &str = "tljh-user-env-compile.service";
/// Room for a clone's folders and a few packages; what a package takes is not known before.
const ROOM: u64 = 300_000_000;

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Wish {
    /// These, and what they need.
    Install(Vec<Requirement>),
    /// These away.
    Remove(Vec<Requirement>),
    /// Newer versions of these, or of all that were asked for by name.
    Upgrade(Vec<Requirement>),
    /// What a file of requirements says.
    Apply(PathBuf),
}

/// Everything that a change works with.
pub struct Workshop<'a> {
    /// The installation.
    pub paths: &'a Paths,
    /// The machine.
    pub runner: &'a dyn Runner,
    /// What the package brings.
    pub bundle: Bundle,
    /// The generations.
    pub generations: Generations,
}

/// A plan that uv made for the active generation.
pub struct Plan {
    /// What is going to happen, by uv's reckoning.
    pub steps: Vec<Step>,
    parent: Record,
    before: Vec<Package>,
    verb: &'static str,
    arguments: Vec<String>,
    folder: PathBuf,
    requested: BTreeSet<String>,
    // Holds the constraints until uv has read them again.
    _constraints: Option<tempfile::NamedTempFile>,
    _turn: Turn,
}

/// What a change came to.
pub struct Outcome {
    /// The generation that is active now.
    pub record: Record,
    /// What differs from the one before.
    pub changes: Vec<Difference>,
}

impl<'a> Workshop<'a> {
    /// For the installation below `paths`.
    pub fn new(paths: &'a Paths, runner: &'a dyn Runner) -> Self {
        Self {
            paths,
            runner,
            bundle: Bundle::installed(paths),
            generations: Generations::new(paths),
        }
    }

    /// The right to change the environment, with what interrupted work left removed.
    ///
    /// # Errors
    /// We are not root, or somebody else keeps it.
    pub fn begin(&self) -> Result<Turn, UserEnvError> {
        if !Uid::effective().is_root() {
            return Err(UserEnvError::NotRoot);
        }
        let turn = Turn::take(&self.generations.ensure_root()?)?;
        self.generations.clean()?;
        Ok(turn)
    }

    /// Has uv find out what `wish` means for the active generation. Nothing is changed; the turn is ours until the plan
    /// is dropped.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn plan(&self, wish: &Wish) -> Result<Plan, UserEnvError> {
        let turn = self.begin()?;
        let parent = self.generations.active_record()?;
        let environment = self.generations.folder(parent.number);
        let before = read_manifest(&environment)?;
        let named = self.named(wish, &parent, &before)?;
        let uv = self.uv()?;
        let mut folder = PathBuf::from("/");
        let (verb, arguments) = match wish {
            Wish::Remove(_) => ("uninstall", named.clone()),
            Wish::Apply(file) => {
                files::read(file)?;
                let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                folder = file.parent().unwrap_or(&folder).to_path_buf();
                (
                    "install",
                    vec![format!("--requirements={}", file.display())],
                )
            }
            Wish::Install(_) => ("install", names_last(&[], &named)),
            Wish::Upgrade(_) => {
                let upgrades: Vec<String> = named
                    .iter()
                    .map(|name| format!("--upgrade-package={name}"))
                    .collect();
                ("install", names_last(&upgrades, &named))
            }
        };
        let parent_requested = parent.requested.clone();
        let mut plan = Plan {
            steps: Vec::new(),
            parent,
            before,
            verb,
            arguments,
            folder,
            requested: requested(wish, &parent_requested)?,
            _constraints: None,
            _turn: turn,
        };
        if matches!(wish, Wish::Upgrade(_)) && named.is_empty() {
            return Ok(plan);
        }
        if plan.verb == "uninstall" {
            plan.steps = rehearse(&uv, &environment, &plan, &plan.arguments)?;
            return Ok(plan);
        }
        // First so that all that is installed stays content; where that cannot be, uv may move anything but the part
        // that has to match the hub, and the result is checked.
        let moving: BTreeSet<&str> = match wish {
            Wish::Install(wanted) | Wish::Upgrade(wanted) => {
                wanted.iter().map(Requirement::name).collect()
            }
            _ => BTreeSet::new(),
        };
        let pin = hub_pin(&plan.before);
        let needs = installed_needs(&environment, &moving)?;
        let both: Vec<String> = pin.iter().cloned().chain(needs).collect();
        for constraints in [both, pin] {
            let file = write_constraints(&constraints)?;
            let mut arguments = vec![format!("--constraints={}", file.path().display())];
            arguments.extend_from_slice(&plan.arguments);
            match rehearse(&uv, &environment, &plan, &arguments) {
                Err(UserEnvError::Conflict { .. }) if constraints.len() > 1 => {}
                Err(error) => return Err(error),
                Ok(steps) => {
                    plan.steps = steps;
                    plan.arguments = arguments;
                    plan._constraints = Some(file);
                    break;
                }
            }
        }
        Ok(plan)
    }

    /// Makes a new generation by `plan`, tries it out and makes it the active one.
    ///
    /// # Errors
    /// Any step failed; the new generation is gone and the active one as it was.
    pub fn apply(&self, plan: &Plan) -> Result<Outcome, UserEnvError> {
        check_space(self.generations.root(), ROOM)?;
        let record = self.generations.begin(
            self.runner,
            Some(plan.parent.number),
            plan.requested.clone(),
        )?;
        let source = self.generations.folder(plan.parent.number);
        let made = self.make(&record, &source, |new| {
            let uv = self.uv()?;
            let content = uv.conflicts(&source).unwrap_or_default();
            log::info!("changing generation {} ...", record.number);
            uv.pip(new, &plan.folder, &[plan.verb, "--quiet"], &plan.arguments)?;
            refuse_new_conflicts(&content, uv.conflicts(new)?)
        })?;
        let changes = differences(&plan.before, &made.packages);
        Ok(Outcome {
            record: made,
            changes,
        })
    }

    /// Makes the generation of `record` from the environment `source` by `work`, tries it out and switches to it. If
    /// anything fails, it is removed.
    ///
    /// # Errors
    /// Any step failed.
    pub fn make(
        &self,
        record: &Record,
        source: &Path,
        work: impl FnOnce(&Path) -> Result<(), UserEnvError>,
    ) -> Result<Record, UserEnvError> {
        let number = record.number;
        let folder = self.generations.folder(number);
        let make = || {
            log::info!("copying the environment to generation {number} ...");
            self.generations.fill(record, source)?;
            ensure_hooks(&folder)?;
            work(&folder)?;
            log::info!("trying it out with a throw-away server ...");
            verify(&folder, &read_manifest(&folder)?)?;
            self.generations.finish(record.clone())
        };
        match make().and_then(|record| self.generations.switch(number).map(|()| record)) {
            Ok(record) => {
                self.settle(number);
                Ok(record)
            }
            Err(error) => {
                if let Err(left) = self.generations.remove(number) {
                    log::warn!("generation {number} is left over: {left}");
                }
                Err(error)
            }
        }
    }

    /// After a switch: a copy of the active generation is kept, those of others go, and what came is compiled. The
    /// environment is in use already, so none of this can fail the change.
    pub fn settle(&self, number: u64) {
        let settled = if Systemd::is_booted(self.paths) {
            Systemd::new(self.runner)
                // One that works on the generation before begins anew.
                .begin_renewal(COMPILATION)
                .map_err(UserEnvError::from)
        } else {
            self.generations
                .seal(self.runner, number)
                .and_then(|()| self.generations.drop_seals_but(number))
        };
        if let Err(error) = settled {
            log::warn!("generation {number} was not byte-compiled and copied: {error}");
        }
    }

    /// uv with the cache that is kept.
    ///
    /// # Errors
    /// The cache cannot be made.
    pub fn uv(&self) -> Result<Uv<'a>, UserEnvError> {
        let cache = self.generations.ensure_cache(self.runner, CACHE)?;
        Ok(Uv::new(self.runner, &self.bundle, cache))
    }

    /// What uv is told, by name: refused where it is not installed, and must be.
    fn named(
        &self,
        wish: &Wish,
        parent: &Record,
        installed: &[Package],
    ) -> Result<Vec<String>, UserEnvError> {
        let find = |name: &str| installed.iter().any(|package| package.name == name);
        match wish {
            Wish::Install(wanted) => Ok(wanted.iter().map(ToString::to_string).collect()),
            Wish::Apply(_) => Ok(Vec::new()),
            Wish::Upgrade(wanted) if wanted.is_empty() => self.asked_for(parent, installed),
            Wish::Upgrade(wanted) | Wish::Remove(wanted) => {
                for requirement in wanted {
                    let name = requirement.name();
                    if !find(name) {
                        return Err(UserEnvError::NotInstalled { name: name.into() });
                    }
                    if matches!(wish, Wish::Remove(_)) && SERVER.contains(&name) {
                        return Err(UserEnvError::Needed { name: name.into() });
                    }
                }
                Ok(wanted.iter().map(|wanted| wanted.name().into()).collect())
            }
        }
    }

    /// The packages that administrators asked for by name, of us or of pip; those of the bundle move with this package.
    fn asked_for(
        &self,
        parent: &Record,
        installed: &[Package],
    ) -> Result<Vec<String>, UserEnvError> {
        let bundled: BTreeSet<String> = self
            .bundle
            .packages()?
            .into_iter()
            .map(|(name, _)| manifest::normalize(&name))
            .collect();
        Ok(installed
            .iter()
            .filter(|package| package.by_pip || parent.requested.contains(&package.name))
            .filter(|package| !bundled.contains(&package.name))
            .map(|package| package.name.clone())
            .collect())
    }
}

/// What uv would do.
fn rehearse(
    uv: &Uv<'_>,
    environment: &Path,
    plan: &Plan,
    arguments: &[String],
) -> Result<Vec<Step>, UserEnvError> {
    let verb = [plan.verb, "--dry-run"];
    let report = uv.pip(environment, &plan.folder, &verb, arguments)?;
    Ok(read_steps(&report))
}

/// The packages that will have been asked for by name.
fn requested(wish: &Wish, before: &BTreeSet<String>) -> Result<BTreeSet<String>, UserEnvError> {
    let mut requested = before.clone();
    match wish {
        Wish::Install(wanted) => requested.extend(wanted.iter().map(|one| one.name().to_string())),
        Wish::Remove(unwanted) => {
            requested.retain(|name| unwanted.iter().all(|one| one.name() != name))
        }
        Wish::Upgrade(_) => {}
        Wish::Apply(file) => {
            // What is no plain requirement there, uv understands.
            let text = files::read(file)?;
            let names = text.lines().filter_map(|line| {
                let line = line.split(['#', '\\']).next()?.trim();
                line.parse::<Requirement>().ok()
            });
            requested.extend(names.map(|one| one.name().to_string()));
        }
    }
    Ok(requested)
}

/// No name is taken for an option.
fn names_last(options: &[String], names: &[String]) -> Vec<String> {
    let mut arguments = options.to_vec();
    arguments.push("--".into());
    arguments.extend_from_slice(names);
    arguments
}

/// What has to match the hub stays.
fn hub_pin(installed: &[Package]) -> Vec<String> {
    installed
        .iter()
        .filter(|package| package.name == "jupyterhub")
        .map(|package| format!("jupyterhub=={}", package.version))
        .collect()
}

/// What the installed packages need of others, but for those in `moving`, whose needs move along.
fn installed_needs(
    environment: &Path,
    moving: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, UserEnvError> {
    let mut needs = BTreeSet::new();
    for folder in manifest::metadata_folders(environment)? {
        let Some(metadata) = files::read_optional(&folder.join("METADATA")).unwrap_or_default()
        else {
            continue;
        };
        let name = manifest::headers(&metadata, "Name").next();
        if name.is_some_and(|name| moving.contains(manifest::normalize(name).as_str())) {
            continue;
        }
        needs.extend(manifest::headers(&metadata, "Requires-Dist").filter_map(as_constraint));
    }
    Ok(needs)
}

/// A need as a constraint: without the extras that constraints may not have; none where it limits no version, or
/// belongs to an extra.
fn as_constraint(need: &str) -> Option<String> {
    let (need, marker) = need.split_once(';').unwrap_or((need, ""));
    if marker.contains("extra") || need.contains('@') || !need.contains(['<', '>', '=', '~']) {
        return None;
    }
    let need = match (need.find('['), need.find(']')) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", &need[..begin], &need[end + 1..])
        }
        _ => need.to_string(),
    };
    let marker = marker.trim();
    Some(if marker.is_empty() {
        need.trim().to_string()
    } else {
        format!("{} ; {marker}", need.trim())
    })
}

fn write_constraints(lines: &[String]) -> Result<tempfile::NamedTempFile, UserEnvError> {
    let failed = |source| UserEnvError::Trial { source };
    let mut file = tempfile::Builder::new()
        .prefix("tljh-constraints-")
        .suffix(".txt")
        .tempfile()
        .map_err(failed)?;
    file.write_all(lines.join("\n").as_bytes())
        .map_err(failed)?;
    Ok(file)
}

/// What was amiss before may stay so.
fn refuse_new_conflicts(before: &[String], after: Vec<String>) -> Result<(), UserEnvError> {
    let (old, new): (Vec<String>, Vec<String>) =
        after.into_iter().partition(|line| before.contains(line));
    for line in old {
        log::warn!("{line}");
    }
    if new.is_empty() {
        return Ok(());
    }
    Err(UserEnvError::WouldBreak { broken: new })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_become_constraints_unless_they_are_extras() {
        let constraint = |need: &str| as_constraint(need);
        assert_eq!(constraint("a>=1,<2").as_deref(), Some("a>=1,<2"));
        assert_eq!(constraint("a[x,y]>=1").as_deref(), Some("a>=1"));
        assert_eq!(
            constraint("a<2; python_version < '3.9'").as_deref(),
            Some("a<2 ; python_version < '3.9'")
        );
        assert_eq!(constraint("a"), None);
        assert_eq!(constraint("a>=1; extra == 'test'"), None);
        assert_eq!(constraint("a @ https://example.org/a.whl"), None);
    }

    #[test]
    fn only_what_breaks_anew_is_refused() {
        let old = vec!["The package `a` requires `b`".to_string()];
        assert!(refuse_new_conflicts(&old, old.clone()).is_ok());
        let new = vec!["The package `c` requires `d`".to_string()];
        assert!(matches!(
            refuse_new_conflicts(&old, new.clone()),
            Err(UserEnvError::WouldBreak { broken }) if broken == new
        ));
    }
}
