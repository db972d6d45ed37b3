//! `tljh-config reload [hub|proxy]`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tljh_machine::history::History;
use tljh_machine::running::{Running, fingerprint};
use tljh_machine::services::{HUB_PORT, HUB_UNIT, PROXY_UNIT};
use tljh_machine::systemd::UnitState;
use tljh_machine::{CommandError, Paths, Runner, SystemRunner, Systemd, files, http, wait_for};
use tljh_settings::{Settings, Severity};

use super::deep::findings;
use super::inspect::{inspect, refuse_errors};
use super::{Target, print, require_root};
use crate::cli::Component;
use crate::error::Error;
use crate::turn::Turn;

const JOURNAL_LINES: usize = 20;

/// Checks the configuration, restarts the component and waits until it answers. If it does not, `rollback`
/// puts back what worked last.
pub fn run(
    target: &Target,
    component: Component,
    timeout: u64,
    rollback: bool,
) -> Result<(), Error> {
    read(target)?;
    require_root()?;
    let reload = Reload::new(&SystemRunner, timeout);
    let turn = Turn::take(&reload.paths, timeout)?;
    // Only now: what had its turn before may have changed the file.
    let (text, settings) = read(target)?;
    for unknown in &settings.unknown {
        log::warn!("{unknown}; only a plugin can use it");
    }
    if component == Component::Hub && reload.was_applied(&turn, &settings, &text) {
        log::info!("the hub was restarted with this configuration meanwhile");
        return done(component);
    }
    // What the hub runs on, its Python has loaded; snippets do not concern the proxy.
    if component == Component::Hub || !reload.runs_on(&text) {
        refuse_what_python_cannot_load(&SystemRunner, &text)?;
    }
    match reload.apply(component, &settings, &text) {
        Ok(()) => done(component),
        Err(error) if rollback && !target.own_path => {
            Err(reload.roll_back(target, component, &text, error))
        }
        Err(error) => Err(error),
    }
}

/// The file's text and its settings, if they can be used.
fn read(target: &Target) -> Result<(String, Settings), Error> {
    let store = target.store()?;
    let text = store.read_text()?;
    refuse_errors(&store.path().display().to_string(), &inspect(&text))?;
    let settings = Settings::parse(&text)?;
    Ok((text, settings))
}

fn done(component: Component) -> Result<(), Error> {
    print(match component {
        Component::Hub => "Hub reload with new configuration complete\n",
        Component::Proxy => "Proxy reload with new configuration complete\n",
    })
}

fn refuse_what_python_cannot_load(runner: &dyn Runner, text: &str) -> Result<(), Error> {
    log::info!("the hub's Python loads the configuration ...");
    let (errors, warnings): (Vec<_>, Vec<_>) = findings(runner, text)?
        .into_iter()
        .partition(|finding| finding.severity == Severity::Error);
    for warning in warnings {
        log::warn!("{}", warning.problem);
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Error::Unloadable {
        problems: errors.into_iter().map(|error| error.problem).collect(),
    })
}

/// Reloads or restarts components, and waits for them.
pub struct Reload<'a> {
    runner: &'a dyn Runner,
    paths: Paths,
    seconds: u64,
    hub_port: u16,
}

impl<'a> Reload<'a> {
    /// Waits `seconds` for each component.
    pub fn new(runner: &'a dyn Runner, seconds: u64) -> Self {
        Self {
            runner,
            paths: Paths::default(),
            seconds,
            hub_port: HUB_PORT,
        }
    }

    /// Applies the configuration `text`, which is in the file, and remembers that it worked.
    ///
    /// # Errors
    /// The component does not answer with this configuration.
    pub fn apply_text(&self, component: Component, text: &str) -> Result<(), Error> {
        self.apply(component, &Settings::parse(text)?, text)
    }

    fn apply(&self, component: Component, settings: &Settings, text: &str) -> Result<(), Error> {
        let (unit, port) = match component {
            Component::Hub => (HUB_UNIT, self.hub_port),
            Component::Proxy => (PROXY_UNIT, settings.http.port),
        };
        if component == Component::Hub {
            // A text that failed before gets all its chances again.
            files::ensure_absent(&self.paths.running())?;
        }
        let systemd = Systemd::new(self.runner);
        let began = SystemTime::now();
        let journal = || systemd.journal(unit, JOURNAL_LINES, Some(began));
        let no_answer = || Error::NoAnswer {
            unit,
            port,
            seconds: self.seconds,
            journal: journal(),
        };
        log::info!("reloading `{unit}` and waiting until it answers");
        let deadline = Duration::from_secs(self.seconds);
        // A unit that systemd has given up on would refuse to start again for a while.
        let renewed = systemd
            .reset_failed(unit)
            .and_then(|()| systemd.renew(unit, deadline));
        match renewed {
            Ok(()) => {}
            Err(CommandError::Deadline { .. }) => return Err(no_answer()),
            Err(source) => {
                return Err(Error::Renew {
                    unit,
                    journal: journal(),
                    source,
                });
            }
        }
        // "Could not ask" is not "stopped": only what systemd says ends the wait.
        let ended = || match (systemd.state(unit).ok()?, systemd.restarts(unit).ok()?) {
            (UnitState::Failed, _) | (_, 1..) => Some(false),
            (UnitState::Active, _) => self.answers(component, settings, text).then_some(true),
            (UnitState::Changing | UnitState::Inactive, _) => None,
        };
        if wait_for(deadline, ended) == Some(true) {
            Ok(History::new(&self.paths).record(text)?)
        } else {
            Err(no_answer())
        }
    }

    /// Whether another one, while this one waited, started a hub that answers with this text. Such a hub has read
    /// the snippets after this command was typed.
    fn was_applied(&self, turn: &Turn, settings: &Settings, text: &str) -> bool {
        let started = self.paths.running_configuration().metadata();
        let started = started.and_then(|metadata| metadata.modified());
        turn.waited()
            && started.is_ok_and(|started| started > turn.asked())
            && self.answers(Component::Hub, settings, text)
    }

    /// Whether the hub was started with this text.
    fn runs_on(&self, text: &str) -> bool {
        self.running(text).is_some()
    }

    fn running(&self, text: &str) -> Option<Running> {
        let running = Running::read(&self.paths).ok().flatten();
        running.filter(|running| running.fingerprint == fingerprint(text))
    }

    fn answers(&self, component: Component, settings: &Settings, text: &str) -> bool {
        match component {
            Component::Hub => {
                let path = format!("{}hub/api", settings.base_url);
                // The same text with other snippets is not what was to be applied.
                let taken = |running: Running| running.fallback.is_none();
                self.running(text).is_some_and(taken)
                    && http::status("", self.hub_port, &path) == Some(200)
            }
            // Whatever the proxy answers, it is the proxy that answers.
            Component::Proxy => http::status(
                &settings.http.address,
                settings.http.port,
                &settings.base_url,
            )
            .is_some(),
        }
    }

    /// Puts back the last configuration that worked, and gives the error that says so.
    fn roll_back(
        &self,
        target: &Target,
        component: Component,
        failed: &str,
        cause: Error,
    ) -> Error {
        match self.go_back(target, component, failed) {
            Ok(None) => cause,
            Ok(Some((number, aside))) => Error::RolledBack {
                number,
                aside,
                cause: Box::new(cause),
            },
            Err(rollback) => Error::RollbackFailed {
                rollback: Box::new(rollback),
                cause: Box::new(cause),
            },
        }
    }

    /// The number of the configuration that was put back, and where the one that failed is now.
    fn go_back(
        &self,
        target: &Target,
        component: Component,
        failed: &str,
    ) -> Result<Option<(u64, PathBuf)>, Error> {
        let versions = History::new(&self.paths).versions()?;
        let Some(version) = versions.into_iter().find(|version| version.text != failed) else {
            return Ok(None);
        };
        log::info!(
            "going back to configuration {}, the last one that worked",
            version.number
        );
        // A change that was written meanwhile is set aside with the text that failed.
        let held = target.store.hold()?;
        let aside = target.set_aside(&target.store.read_text()?, "failed")?;
        held.replace(&version.text)?;
        drop(held);
        self.apply_text(component, &version.text)?;
        Ok(Some((version.number, aside)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use tljh_machine::{Invocation, Output, Recorder};

    use super::*;

    /// A service that answers each request in turn, and gives back the paths it was asked for.
    fn service(answers: &'static [&'static str]) -> (u16, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let mut paths = Vec::new();
            for status in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                paths.push(text.split(' ').nth(1).unwrap().to_string());
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            paths
        });
        (port, thread)
    }

    /// A machine on which the hub is told to run on `text`, as soon as it is restarted, and systemd says `state`.
    struct Bench {
        recorder: Recorder,
        root: tempfile::TempDir,
    }

    impl Bench {
        fn new(state: &str) -> Self {
            let recorder = Recorder::default();
            for _ in 0..100 {
                recorder.answer(
                    "systemctl show --property=ActiveState",
                    0,
                    &format!("{state}\n"),
                );
            }
            Self {
                recorder,
                root: tempfile::tempdir().unwrap(),
            }
        }

        fn apply(
            &self,
            component: Component,
            hub_port: u16,
            text: &str,
            runs_on: &str,
        ) -> Result<(), Error> {
            let reload = Reload {
                runner: &Restarting(self, runs_on),
                paths: Paths::under(self.root.path()),
                seconds: 20,
                hub_port,
            };
            reload.apply_text(component, text)
        }

        fn history(&self) -> usize {
            let paths = Paths::under(self.root.path());
            History::new(&paths).versions().unwrap().len()
        }
    }

    /// Tells at the restart, as `tljh-hub run` does, what the hub runs on.
    struct Restarting<'a>(&'a Bench, &'a str);

    impl Runner for Restarting<'_> {
        fn output(&self, invocation: &Invocation) -> Result<Output, CommandError> {
            if invocation.line().starts_with("systemctl reload-or-restart") {
                let paths = Paths::under(self.0.root.path());
                files::ensure_folder(&paths.runtime(), 0o700).unwrap();
                let running = Running {
                    fingerprint: fingerprint(self.1),
                    snippets: String::new(),
                    failures: 1,
                    fallback: None,
                };
                running.write(&paths).unwrap();
            }
            self.0.recorder.output(invocation)
        }
    }

    #[test]
    fn the_hub_is_up_when_its_own_port_answers_200_below_the_base_url() {
        let (hub_port, service) = service(&["503 Starting", "200 OK"]);
        let bench = Bench::new("active");
        let text = "base_url: /class";
        bench.apply(Component::Hub, hub_port, text, text).unwrap();
        assert_eq!(
            service.join().unwrap(),
            ["/class/hub/api", "/class/hub/api"]
        );
        assert_eq!(
            bench.recorder.lines()[1],
            "systemctl reload-or-restart -- jupyterhub.service"
        );
        assert_eq!(bench.history(), 1, "what worked is remembered");
    }

    #[test]
    fn the_proxy_is_up_when_it_answers_at_all() {
        let (port, service) = service(&["503 No hub"]);
        let bench = Bench::new("active");
        let text = format!("http: {{port: {port}}}");
        bench.apply(Component::Proxy, 1, &text, "").unwrap();
        assert_eq!(service.join().unwrap(), ["/"]);
        assert_eq!(
            bench.recorder.lines()[1],
            "systemctl reload-or-restart -- tljh-proxy.service"
        );
    }

    #[test]
    fn a_hub_that_fell_back_or_starts_again_has_not_taken_the_configuration() {
        let bench = Bench::new("active");
        bench
            .recorder
            .answer("systemctl show --property=NRestarts", 0, "0\n");
        bench
            .recorder
            .answer("systemctl show --property=NRestarts", 0, "1\n");
        let error = bench.apply(Component::Hub, 1, "base_url: /a", "base_url: /b");
        assert!(matches!(error, Err(Error::NoAnswer { .. })));
        assert_eq!(bench.history(), 0);
    }

    #[test]
    fn a_failed_unit_ends_the_wait_with_its_log() {
        let bench = Bench::new("failed");
        bench
            .recorder
            .answer("journalctl --unit", 0, "no such authenticator\n");
        let error = bench.apply(Component::Hub, 1, "", "").unwrap_err();
        assert!(
            error.to_string().contains("no such authenticator"),
            "{error}"
        );
    }

    #[test]
    fn a_refused_restart_is_told_with_the_units_log() {
        let bench = Bench::new("active");
        bench
            .recorder
            .answer("systemctl reload-or-restart", 1, "Unit is masked.");
        let refused = bench.apply(Component::Hub, 1, "", "");
        assert!(matches!(refused, Err(Error::Renew { .. })));
    }

    #[test]
    fn what_the_hubs_python_cannot_load_is_refused_before_anything_is_restarted() {
        let recorder = Recorder::default();
        recorder.answer(
            "tljh-hub check-traits",
            0,
            r#"[{"key": "auth.type", "what": "names no class", "severity": "error"}]"#,
        );
        let refused = refuse_what_python_cannot_load(&recorder, "").unwrap_err();
        assert!(refused.to_string().contains("`auth.type` names no class"));
        assert_eq!(recorder.lines().len(), 1);
    }
}
