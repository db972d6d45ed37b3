//! Which configuration the hub starts with: the file, or what worked last when the file cannot be used.

use tljh_machine::history::{History, Version};
use tljh_machine::running::{Fallback, Running, fingerprint};
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
    /// What to tell about it.
    pub running: Running,
}

/// Reads the file and what is known of earlier starts, and chooses.
///
/// # Errors
/// The file cannot be used, and there is no other that worked.
pub fn choose(paths: &Paths) -> Result<Choice, HubError> {
    let text = files::read_optional(&paths.config_yaml())?.unwrap_or_default();
    let before = Running::read(paths)?;
    // A history that cannot be read keeps no hub from starting.
    let worked = History::new(paths).newest().unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    let settings = Settings::parse(&text).map_err(|error| error.in_file(&paths.config_yaml()));
    let reason = match &settings {
        Err(error) => error.to_string(),
        Ok(_) if never_answered(&text, before.as_ref(), worked.as_ref()) => {
            format!("JupyterHub ended {FAILURES} times before it answered")
        }
        Ok(_) => String::new(),
    };
    match (settings, worked.filter(|version| version.text != text)) {
        (Ok(settings), None) => Ok(started(settings, text, before.as_ref(), None)),
        (Ok(settings), Some(_)) if reason.is_empty() => {
            Ok(started(settings, text, before.as_ref(), None))
        }
        (_, Some(version)) => {
            let settings = Settings::parse(&version.text)?;
            let fallback = Fallback {
                version: version.number,
                refused: fingerprint(&text),
                reason,
            };
            Ok(started(
                settings,
                version.text,
                before.as_ref(),
                Some(fallback),
            ))
        }
        (Err(error), None) => Err(error.into()),
    }
}

/// Whether a configuration that never worked was given enough chances.
fn never_answered(text: &str, before: Option<&Running>, worked: Option<&Version>) -> bool {
    let print = fingerprint(text);
    let failed = before.is_some_and(|before| match &before.fallback {
        Some(fallback) => fallback.refused == print,
        None => before.fingerprint == print && before.failures >= FAILURES,
    });
    failed && worked.is_some_and(|version| version.text != text)
}

/// A start counts as failed until `tljh-hub confirm` says that the hub answers.
fn started(
    settings: Settings,
    text: String,
    before: Option<&Running>,
    fallback: Option<Fallback>,
) -> Choice {
    let fingerprint = fingerprint(&text);
    let failures = before
        .filter(|before| before.fingerprint == fingerprint)
        .map_or(0, |before| before.failures);
    Choice {
        settings,
        text,
        running: Running {
            fingerprint,
            failures: failures.saturating_add(1),
            fallback,
        },
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
            for folder in [paths.configuration(), paths.runtime(), paths.state()] {
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
        }

        /// One start, told as `run` tells it.
        fn start(&self) -> Choice {
            let choice = choose(&self.paths).unwrap();
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
        assert!(choose(&machine.paths).is_err());
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
}
