//! Which configuration the hub starts with: what is in place, or what worked last when that cannot be used.
//!
//! `config.yaml` and the administrator's snippets are taken as a whole. A snippet may be what keeps people out
//! whom the rest lets in, so none is ever left out: when one cannot be loaded, the hub goes back to the
//! configuration and all snippets with which it answered last. It is then as open as it was before, and where
//! nothing has worked yet it does not start.

use std::path::PathBuf;

use tljh_machine::history::{History, Version};
use tljh_machine::running::{Fallback, Running, fingerprint};
use tljh_machine::snippets::Snippets;
use tljh_machine::{Paths, files};
use tljh_settings::Settings;

use crate::error::HubError;

/// Starts that end before the hub answers, until the configuration is taken to be the cause.
const FAILURES: u32 = 2;

/// The configuration to start with.
pub struct Choice {
    /// Its settings.
    pub settings: Settings,
    /// Its text.
    pub text: String,
    /// Snippets that worked, to be used in the place of the administrator's.
    pub kept_snippets: Option<Snippets>,
    /// What to tell about it.
    pub running: Running,
}

/// What is in place cannot be used.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The file or folder that is to be corrected.
    pub file: PathBuf,
    /// What is wrong with it, without values.
    pub reason: String,
}

/// What is in place, by fingerprints.
struct Present {
    text: String,
    snippets: String,
}

/// What worked last.
struct Worked {
    version: Version,
    /// `None` where they were not kept.
    snippets: Option<Snippets>,
}

/// Reads what is in place and what is known of earlier starts, and chooses. `refusal` comes from a hub that
/// could not load a snippet.
///
/// # Errors
/// What is in place cannot be used, and there is nothing else that worked.
pub fn choose(paths: &Paths, refusal: Option<Refusal>) -> Result<Choice, HubError> {
    let text = files::read_optional(&paths.config_yaml())?.unwrap_or_default();
    let present = Present {
        text: fingerprint(&text),
        snippets: read_fingerprint(paths),
    };
    let before = Running::read(paths)?;
    let worked = read_worked(paths);
    let settings = Settings::parse(&text).map_err(|error| error.in_file(&paths.config_yaml()));
    let found = match &settings {
        Err(error) => Some(Refusal {
            file: paths.config_yaml(),
            reason: error.to_string(),
        }),
        Ok(_) if refusal.is_some() => refusal.clone(),
        Ok(_) => given_up(paths, &present, before.as_ref(), worked.as_ref()),
    };
    match (settings, found, worked) {
        (Ok(settings), None, _) => Ok(Choice {
            settings,
            running: started(&present, before.as_ref(), None),
            text,
            kept_snippets: None,
        }),
        (_, Some(found), Some(worked)) if refusal.is_none() || worked.has_others(&present) => {
            go_back(&present, before.as_ref(), worked, found)
        }
        (Ok(_), Some(Refusal { file, reason }), _) => Err(HubError::Snippet { file, reason }),
        (Err(error), _, _) => Err(error.into()),
    }
}

fn go_back(
    present: &Present,
    before: Option<&Running>,
    worked: Worked,
    found: Refusal,
) -> Result<Choice, HubError> {
    let fallback = Fallback {
        version: worked.version.number,
        refused: present.text.clone(),
        refused_snippets: present.snippets.clone(),
        file: found.file,
        reason: found.reason,
    };
    let used = Present {
        text: fingerprint(&worked.version.text),
        snippets: match &worked.snippets {
            Some(kept) => kept.fingerprint(),
            None => present.snippets.clone(),
        },
    };
    Ok(Choice {
        settings: Settings::parse(&worked.version.text)?,
        running: started(&used, before, Some(fallback)),
        text: worked.version.text,
        kept_snippets: worked.snippets,
    })
}

impl Worked {
    /// Whether it has snippets that are not those in place.
    fn has_others(&self, present: &Present) -> bool {
        let kept = self.snippets.as_ref();
        kept.is_some_and(|kept| kept.fingerprint() != present.snippets)
    }
}

/// A history that cannot be read keeps no hub from starting.
fn read_worked(paths: &Paths) -> Option<Worked> {
    let version = History::new(paths).newest().unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    })?;
    let snippets = Snippets::kept(paths).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    Some(Worked { version, snippets })
}

/// Snippets that cannot be read are left to the hub's Python, which says what is wrong with them.
fn read_fingerprint(paths: &Paths) -> String {
    Snippets::read(&paths.hub_snippets())
        .map(|snippets| snippets.fingerprint())
        .unwrap_or_else(|error| {
            log::warn!("{error}");
            String::new()
        })
}

/// Why what is in place is not tried again: it never worked, and was given enough chances.
fn given_up(
    paths: &Paths,
    present: &Present,
    before: Option<&Running>,
    worked: Option<&Worked>,
) -> Option<Refusal> {
    let (before, worked) = (before?, worked?);
    let new_text = fingerprint(&worked.version.text) != present.text;
    if !new_text && !worked.has_others(present) {
        return None;
    }
    if let Some(fallback) = &before.fallback {
        let same =
            fallback.refused == present.text && fallback.refused_snippets == present.snippets;
        return same.then(|| Refusal {
            file: fallback.file.clone(),
            reason: fallback.reason.clone(),
        });
    }
    let same = before.fingerprint == present.text && before.snippets == present.snippets;
    (same && before.failures >= FAILURES).then(|| Refusal {
        file: match new_text {
            true => paths.config_yaml(),
            false => paths.hub_snippets(),
        },
        reason: format!("JupyterHub ended {FAILURES} times before it answered"),
    })
}

/// A start counts as failed until `tljh-hub confirm` says that the hub answers.
fn started(used: &Present, before: Option<&Running>, fallback: Option<Fallback>) -> Running {
    let failures = before
        .filter(|before| before.fingerprint == used.text && before.snippets == used.snippets)
        .map_or(0, |before| before.failures);
    Running {
        fingerprint: used.text.clone(),
        snippets: used.snippets.clone(),
        failures: failures.saturating_add(1),
        fallback,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine {
        _root: tempfile::TempDir,
        paths: Paths,
    }

    impl Machine {
        fn with(text: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            let paths = Paths::under(root.path());
            for folder in [paths.hub_snippets(), paths.runtime(), paths.state()] {
                files::ensure_folder(&folder, 0o700).unwrap();
            }
            let machine = Self { _root: root, paths };
            machine.write(text);
            machine
        }

        fn write(&self, text: &str) {
            files::write_atomically(&self.paths.config_yaml(), text.as_bytes(), 0o600).unwrap();
        }

        fn worked(&self, text: &str) {
            History::new(&self.paths).record(text).unwrap();
            let snippets = Snippets::read(&self.paths.hub_snippets()).unwrap();
            snippets.keep(&self.paths).unwrap();
        }

        fn snippet(&self, text: &str) {
            let path = self.snippet_path();
            files::write_atomically(&path, text.as_bytes(), 0o600).unwrap();
        }

        fn snippet_path(&self) -> PathBuf {
            self.paths.hub_snippets().join("a.py")
        }

        /// A start after the hub's Python could not load the snippet.
        fn refuse(&self) -> Result<Choice, HubError> {
            let refusal = Refusal {
                file: self.snippet_path(),
                reason: "line 1".into(),
            };
            let choice = choose(&self.paths, Some(refusal))?;
            choice.running.write(&self.paths).unwrap();
            Ok(choice)
        }

        /// One start, told as `run` tells it.
        fn start(&self) -> Choice {
            let choice = choose(&self.paths, None).unwrap();
            choice.running.write(&self.paths).unwrap();
            choice
        }
    }

    #[test]
    fn the_file_is_used_when_it_is_valid() {
        let machine = Machine::with("http: {port: 8080}\n");
        let choice = machine.start();
        assert_eq!(choice.settings.http.port, 8080);
        assert_eq!(choice.running.fallback, None);
    }

    #[test]
    fn a_broken_file_gives_way_to_what_worked_last() {
        let machine = Machine::with("http: {port: eighty}\n");
        machine.worked("http: {port: 8080}\n");
        let choice = machine.start();
        assert_eq!(choice.settings.http.port, 8080);
        let fallback = choice.running.fallback.unwrap();
        assert_eq!(fallback.version, 1);
        assert!(
            fallback.reason.contains("`http.port`"),
            "{}",
            fallback.reason
        );
    }

    #[test]
    fn a_broken_file_is_an_error_where_nothing_worked_yet() {
        let machine = Machine::with("http: [\n");
        assert!(choose(&machine.paths, None).is_err());
    }

    #[test]
    fn a_configuration_that_never_worked_gets_two_chances_and_no_third() {
        let machine = Machine::with("auth: {type: no.such.Class}\n");
        machine.worked("{}\n");
        for _ in 0..FAILURES {
            assert_eq!(machine.start().running.fallback, None);
        }
        for _ in 0..3 {
            assert!(machine.start().running.fallback.is_some());
        }
        machine.write("auth: {type: another.Class}\n");
        assert_eq!(
            machine.start().running.fallback,
            None,
            "a new text gets a chance of its own"
        );
    }

    #[test]
    fn a_configuration_that_worked_before_is_never_given_up() {
        let machine = Machine::with("{}\n");
        machine.worked("http: {port: 8080}\n");
        machine.worked("{}\n");
        for _ in 0..5 {
            assert_eq!(machine.start().running.fallback, None);
        }
    }

    #[test]
    fn a_broken_snippet_gives_way_to_all_that_worked_last() {
        let machine = Machine::with("http: {port: 8080}\n");
        machine.snippet("good");
        machine.worked("http: {port: 8080}\n");
        machine.write("auth: {type: dummy}\n");
        machine.snippet("broken");
        assert!(machine.start().kept_snippets.is_none());
        let choice = machine.refuse().unwrap();
        assert_eq!(
            choice.text, "http: {port: 8080}\n",
            "no new text without the snippet"
        );
        let kept = choice
            .kept_snippets
            .unwrap()
            .unfold(&machine.paths)
            .unwrap();
        assert_eq!(files::read(&kept.join("a.py")).unwrap(), "good");
        let fallback = choice.running.fallback.unwrap();
        assert_eq!(fallback.file, machine.snippet_path());
        let again = machine.start().running.fallback.unwrap();
        assert_eq!(again, fallback, "the next start goes there at once");
        machine.snippet("mended");
        assert_eq!(machine.start().running.fallback, None);
    }

    #[test]
    fn a_snippet_that_never_worked_is_left_out_where_the_hub_worked_without_it() {
        let machine = Machine::with("{}\n");
        machine.worked("{}\n");
        machine.snippet("broken");
        machine.start();
        let kept = machine.refuse().unwrap().kept_snippets;
        assert_eq!(kept, Some(Snippets::default()));
    }

    #[test]
    fn without_a_snippet_that_may_restrict_access_nothing_new_starts() {
        let machine = Machine::with("auth: {type: dummy}\n");
        machine.snippet("broken");
        machine.start();
        assert!(
            matches!(machine.refuse(), Err(HubError::Snippet { .. })),
            "nothing worked yet"
        );
        machine.worked("auth: {type: dummy}\n");
        machine.start();
        assert!(
            matches!(machine.refuse(), Err(HubError::Snippet { .. })),
            "the same snippets would fail again"
        );
    }

    #[test]
    fn a_snippet_with_which_the_hub_does_not_start_gets_two_chances_and_no_third() {
        let machine = Machine::with("{}\n");
        machine.worked("{}\n");
        machine.snippet("deadly");
        for _ in 0..FAILURES {
            assert_eq!(machine.start().running.fallback, None);
        }
        for _ in 0..3 {
            let choice = machine.start();
            assert_eq!(choice.kept_snippets, Some(Snippets::default()));
            let fallback = choice.running.fallback.unwrap();
            assert_eq!(fallback.file, machine.paths.hub_snippets());
        }
    }
}
