//! `switch`: the same packages on the other engine, as a new generation.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::build::{self, check_space};
use crate::bytecode;
use crate::change::constraints::hub_pin;
use crate::change::{minor, refuse_lost};
use crate::conda::{Offer, Question, Solution};
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::front;
use crate::manifest::{self, Difference, HUB, Package, differences, read_manifest};
use crate::record::Record;
use crate::turn::Turn;
use crate::verify::SERVER;
use crate::workshop::Workshop;

/// Python packages that channels know by another name than indexes.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("build", "python-build"),
    ("graphviz", "python-graphviz"),
    ("kaleido", "python-kaleido"),
    ("msgpack", "msgpack-python"),
    ("opencv-python", "opencv"),
    ("pyqt5", "pyqt"),
    ("tables", "pytables"),
    ("torch", "pytorch"),
];
/// What administrators of conda environments are used to; taken along where a channel has it.
const CONDAS_OWN: [&str; 2] = ["conda", "mamba"];

/// What a switch is going to do.
pub struct Switch {
    /// The engine to come.
    pub engine: Engine,
    /// What differs in the end, as far as it is known.
    pub steps: Vec<Difference>,
    /// The packages that will come from pip's index, or from the bundle.
    pub pips: Vec<Package>,
    /// What was asked for by name, and cannot be had on the other engine.
    pub left_out: Vec<String>,
    parent: Record,
    before: Vec<Package>,
    packages: Vec<Value>,
    asked_for: Vec<String>,
    room: u64,
    _turn: Turn,
}

impl Workshop<'_> {
    /// Finds out what the active generation is on `engine`, with the Python `python` (such as `3.12`) if one is named.
    /// None if it is there already. Nothing is changed.
    ///
    /// # Errors
    /// It cannot be had there.
    pub fn plan_switch(
        &self,
        engine: Engine,
        python: Option<&str>,
    ) -> Result<Option<Switch>, UserEnvError> {
        let turn = self.begin()?;
        let parent = self.generations.active_record()?;
        if parent.engine == engine {
            return Ok(None);
        }
        let before = read_manifest(&self.generations.folder(parent.number))?;
        let mut switch = Switch {
            engine,
            steps: Vec::new(),
            pips: Vec::new(),
            left_out: Vec::new(),
            parent,
            before,
            packages: Vec::new(),
            asked_for: Vec::new(),
            room: self.bundle.installed_size()?,
            _turn: turn,
        };
        match engine {
            Engine::Conda => self.to_conda(&mut switch, python)?,
            Engine::Venv => self.to_venv(&mut switch)?,
        }
        Ok(Some(switch))
    }

    /// Makes the generation, tries it out and switches to it.
    ///
    /// # Errors
    /// Any step failed; the active generation is what it was.
    pub fn switch(&self, switch: &Switch) -> Result<Record, UserEnvError> {
        check_space(self.generations.root(), switch.room)?;
        let mut requested = switch.parent.requested.clone();
        requested.retain(|name| !switch.left_out.contains(name));
        let record = self.generations.begin(
            self.runner,
            switch.engine,
            Some(switch.parent.number),
            requested,
        )?;
        self.make_new(record, |record, new| match switch.engine {
            Engine::Conda => {
                log::info!(
                    "fetching and linking {} packages ...",
                    switch.packages.len()
                );
                let known = self.generations.link();
                self.conda(&[])?
                    .link(new, known, &switch.packages, &switch.asked_for)?;
                build::ensure_hooks(new)?;
                front::ensure(new)?;
                build::ensure_lab_defaults(new)?;
                self.ensure_pips(new, &switch.pips)
            }
            Engine::Venv => {
                build::fill(&self.generations, self.runner, &self.bundle, record)?;
                self.ensure_pips(new, &switch.pips)?;
                bytecode::bring(new, self.runner, &self.bundle);
                Ok(())
            }
        })
    }

    fn to_conda(&self, switch: &mut Switch, python: Option<&str>) -> Result<(), UserEnvError> {
        let conda = self.conda(&[])?;
        let mut candidates: BTreeSet<String> = CONDAS_OWN.map(String::from).into();
        candidates.insert("python".into());
        for package in &switch.before {
            candidates.extend(names_in_channels(&package.name));
        }
        let candidates: Vec<String> = candidates.into_iter().collect();
        let offers = conda.versions(&candidates)?;
        let specs = Specs::new(switch, &offers, python);
        let solution = specs.solve(|install| {
            conda.solve(&Question {
                install,
                ..Question::default()
            })
        })?;
        refuse_lost(&SERVER, &solution, &specs.pips)?;
        switch.asked_for = specs.names();
        switch.pips = specs.pips;
        switch.steps = steps(switch, &solution);
        switch.room = solution.room();
        switch.packages = solution.packages;
        Ok(())
    }

    /// The bundle, and of the Python packages those that somebody asked for; what they need comes along.
    fn to_venv(&self, switch: &mut Switch) -> Result<(), UserEnvError> {
        let environment = self.generations.folder(switch.parent.number);
        let bundled: BTreeSet<String> = self
            .bundle
            .entries()?
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        let mut pythons = manifest::condas_in_pythons_words(&environment)?;
        pythons.retain(|package| switch.parent.requested.contains(&package.name));
        pythons.extend(
            switch
                .before
                .iter()
                .filter(|package| !package.is_condas())
                .cloned(),
        );
        pythons.retain(|package| !bundled.contains(&package.name));
        pythons.sort_by(|one, other| one.name.cmp(&other.name));
        pythons.dedup_by(|one, other| one.name == other.name);
        switch.left_out = switch
            .parent
            .requested
            .iter()
            .filter(|name| !bundled.contains(*name))
            .filter(|name| pythons.iter().all(|package| package.name != **name))
            .cloned()
            .collect();
        switch.pips = pythons;
        Ok(())
    }
}

/// The names by which a channel may know the Python package `name`, the likeliest first.
fn names_in_channels(name: &str) -> Vec<String> {
    let other = OTHER_NAMES.iter().find(|(ours, _)| *ours == name);
    let mut names: Vec<String> = other
        .map(|(_, theirs)| theirs.to_string())
        .into_iter()
        .collect();
    names.push(name.to_string());
    if name.contains('-') {
        names.push(name.replace('-', "_"));
    }
    names
}

/// What conda is asked for.
struct Specs {
    /// The Python, and conda itself.
    own: Vec<String>,
    /// Name in the channels, the version that is wanted if they have it, and whether somebody asked for it by name.
    packages: Vec<(String, Option<String>, bool)>,
    /// What no channel has.
    pips: Vec<Package>,
}

impl Specs {
    fn new(switch: &Switch, offers: &[Offer], python: Option<&str>) -> Self {
        let has = |name: &str| offers.iter().any(|offer| offer.name == name);
        let has_version = |name: &str, version: &str| {
            let mut all = offers.iter();
            all.any(|offer| offer.name == name && offer.version == version)
        };
        let same = minor(&switch.parent.python);
        let mut of_python = offers.iter().filter(|offer| offer.name == "python");
        let mut own = vec![match python {
            Some(version) => format!("python {version}.*"),
            None if of_python.any(|offer| minor(&offer.version) == same) => {
                format!("python {same}.*")
            }
            None => "python".into(),
        }];
        own.extend(
            CONDAS_OWN
                .iter()
                .filter(|name| has(name))
                .map(ToString::to_string),
        );
        let mut specs = Self {
            own,
            packages: Vec::new(),
            pips: Vec::new(),
        };
        let hubs: BTreeSet<String> = hub_pin(&switch.before).into_iter().collect();
        for package in &switch.before {
            let names = names_in_channels(&package.name);
            let found = names.into_iter().find(|name| has(name));
            // It has to match the hub.
            let is_fixed = hubs.contains(&format!("{}=={}", package.name, package.version));
            match found {
                Some(name) if package.source.is_none() => {
                    let version =
                        has_version(&name, &package.version).then(|| package.version.clone());
                    if is_fixed && version.is_none() {
                        specs.pips.push(package.clone());
                        continue;
                    }
                    let asked = is_fixed
                        || package.by_pip
                        || switch.parent.requested.contains(&package.name);
                    specs.packages.push((name, version, asked));
                }
                _ => specs.pips.push(package.clone()),
            }
        }
        specs
    }

    /// The names of all that conda is asked for.
    fn names(&self) -> Vec<String> {
        let own = self.own.iter().cloned();
        own.chain(self.packages.iter().map(|(name, ..)| name.clone()))
            .collect()
    }

    /// In the versions of now; else those that were asked for by name; else whatever fits.
    fn solve(
        &self,
        solve: impl Fn(Vec<String>) -> Result<Solution, UserEnvError>,
    ) -> Result<Solution, UserEnvError> {
        let keeps: [fn(bool, &str) -> bool; 3] =
            [|_, _| true, |asked, _| asked, |_, name| name == HUB];
        let mut last = None;
        for keep in keeps {
            let packages = self.packages.iter().map(|(name, version, asked)| {
                match version.as_ref().filter(|_| keep(*asked, name)) {
                    Some(version) => format!("{name} =={version}"),
                    None => name.clone(),
                }
            });
            let install = self.own.iter().cloned().chain(packages).collect();
            match solve(install) {
                Err(error @ UserEnvError::Conflict { .. }) => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or(UserEnvError::NotAgreed))
    }
}

/// What differs, by Python's names where they are known.
fn steps(switch: &Switch, solution: &Solution) -> Vec<Difference> {
    let mut after: Vec<Package> = solution
        .packages
        .iter()
        .filter_map(|package| {
            let text = |field: &str| Some(package.get(field)?.as_str()?.to_string());
            let name = text("name")?;
            let ours = switch
                .before
                .iter()
                .find(|one| names_in_channels(&one.name).contains(&name));
            Some(Package {
                name: ours.map_or(name, |one| one.name.clone()),
                version: text("version")?,
                source: None,
                hash: String::new(),
                by_pip: false,
                build: None,
            })
        })
        .chain(switch.pips.iter().cloned())
        .collect();
    after.sort_by(|one, other| one.name.cmp(&other.name));
    let mut differences = differences(&switch.before, &after);
    differences.retain(|step| step.before != step.after);
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_as_channels_spell_them() {
        assert_eq!(names_in_channels("numpy"), ["numpy"]);
        assert_eq!(
            names_in_channels("typing-extensions"),
            ["typing-extensions", "typing_extensions"]
        );
        assert_eq!(names_in_channels("torch"), ["pytorch", "torch"]);
    }

    #[test]
    fn versions_give_way_before_names_do() {
        let specs = Specs {
            own: vec!["python 3.12.*".into()],
            packages: vec![
                ("a".into(), Some("1".into()), true),
                ("b".into(), Some("2".into()), false),
            ],
            pips: Vec::new(),
        };
        let asked = std::cell::RefCell::new(Vec::new());
        let refused = specs.solve(|install| {
            asked.borrow_mut().push(install.join(", "));
            Err(UserEnvError::Conflict {
                message: "no".into(),
            })
        });
        assert!(matches!(refused, Err(UserEnvError::Conflict { .. })));
        assert_eq!(
            asked.into_inner(),
            [
                "python 3.12.*, a ==1, b ==2",
                "python 3.12.*, a ==1, b",
                "python 3.12.*, a, b"
            ]
        );
    }
}
