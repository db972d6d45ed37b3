//! `tljh-config reload [hub|proxy]`.

use std::time::Duration;

use tljh_machine::services::{HUB_PORT, HUB_UNIT, PROXY_UNIT};
use tljh_machine::systemd::UnitState;
use tljh_machine::{Runner, SystemRunner, Systemd, http, wait_for};
use tljh_settings::{Settings, check};

use super::edit::warn_if_unused;
use super::{Target, print, require_root};
use crate::cli::Component;
use crate::error::Error;

const JOURNAL_LINES: usize = 20;

/// Checks the configuration, restarts the component and waits until it answers.
pub fn run(target: &Target, component: Component, timeout: u64) -> Result<(), Error> {
    let document = target.store()?.read()?;
    let settings = check(document.value())
        .into_settings()
        .map_err(|error| error.in_file(target.store.path()))?;
    for unknown in &settings.unknown {
        log::warn!("{unknown}; only a plugin can use it");
    }
    if component == Component::Proxy && settings.https.enabled {
        warn_if_unused("https.enabled");
    }
    require_root()?;
    let reload = Reload {
        runner: &SystemRunner,
        seconds: timeout,
        hub_port: HUB_PORT,
    };
    reload.apply(component, &settings)?;
    print(match component {
        Component::Hub => "Hub reload with new configuration complete\n",
        Component::Proxy => "Proxy reload with new configuration complete\n",
    })
}

struct Reload<'a> {
    runner: &'a dyn Runner,
    seconds: u64,
    hub_port: u16,
}

impl Reload<'_> {
    fn apply(&self, component: Component, settings: &Settings) -> Result<(), Error> {
        let (unit, port) = match component {
            Component::Hub => (HUB_UNIT, self.hub_port),
            Component::Proxy => (PROXY_UNIT, settings.http.port),
        };
        let systemd = Systemd::new(self.runner);
        let journal = || systemd.journal(unit, JOURNAL_LINES);
        log::info!("restarting `{unit}` and waiting until it answers");
        // A unit that systemd has given up on would refuse to start again for a while.
        let restarted = systemd
            .reset_failed(unit)
            .and_then(|()| systemd.restart(unit));
        restarted.map_err(|source| Error::Restart {
            unit,
            journal: journal(),
            source,
        })?;
        let answers = || match component {
            Component::Hub => {
                let path = format!("{}hub/api", settings.base_url);
                http::status("", port, &path) == Some(200)
            }
            // Whatever the proxy answers, it is the proxy that answers.
            Component::Proxy => {
                http::status(&settings.http.address, port, &settings.base_url).is_some()
            }
        };
        // "Could not ask" is not "stopped": only a unit that systemd calls failed ends the wait.
        let ended = || match systemd.state(unit).ok()? {
            UnitState::Active => answers().then_some(true),
            UnitState::Failed => Some(false),
            UnitState::Changing | UnitState::Inactive => None,
        };
        match wait_for(Duration::from_secs(self.seconds), ended) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Error::NoAnswer {
                unit,
                port,
                seconds: self.seconds,
                journal: journal(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use tljh_machine::Recorder;

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

    fn recorder(state: &str) -> Recorder {
        let recorder = Recorder::default();
        for _ in 0..100 {
            recorder.answer("systemctl show", 0, &format!("{state}\n"));
        }
        recorder
    }

    #[test]
    fn the_hub_is_up_when_its_own_port_answers_200_below_the_base_url() {
        let (hub_port, service) = service(&["503 Starting", "200 OK"]);
        let recorder = recorder("active");
        let settings = Settings::parse("base_url: /class").unwrap();
        let reload = Reload {
            runner: &recorder,
            seconds: 20,
            hub_port,
        };
        reload.apply(Component::Hub, &settings).unwrap();
        assert_eq!(
            service.join().unwrap(),
            ["/class/hub/api", "/class/hub/api"]
        );
        assert_eq!(
            recorder.lines()[1],
            "systemctl restart -- jupyterhub.service"
        );
    }

    #[test]
    fn the_proxy_is_up_when_it_answers_at_all() {
        let (port, service) = service(&["503 No hub"]);
        let recorder = recorder("active");
        let settings = Settings::parse(&format!("http: {{port: {port}}}")).unwrap();
        let reload = Reload {
            runner: &recorder,
            seconds: 20,
            hub_port: 1,
        };
        reload.apply(Component::Proxy, &settings).unwrap();
        assert_eq!(service.join().unwrap(), ["/"]);
        assert_eq!(
            recorder.lines()[1],
            "systemctl restart -- tljh-proxy.service"
        );
    }

    #[test]
    fn a_failed_unit_ends_the_wait_with_its_log() {
        let recorder = recorder("failed");
        recorder.answer("journalctl", 0, "no such authenticator\n");
        let reload = Reload {
            runner: &recorder,
            seconds: 3600,
            hub_port: 1,
        };
        let error = reload
            .apply(Component::Hub, &Settings::parse("").unwrap())
            .unwrap_err();
        assert!(
            error.to_string().contains("no such authenticator"),
            "{error}"
        );
    }

    #[test]
    fn a_refused_restart_is_told_with_the_units_log() {
        let recorder = recorder("active");
        recorder.answer("systemctl restart", 1, "Unit is masked.");
        let reload = Reload {
            runner: &recorder,
            seconds: 3600,
            hub_port: 1,
        };
        let refused = reload.apply(Component::Hub, &Settings::parse("").unwrap());
        assert!(matches!(refused, Err(Error::Restart { .. })));
    }
}
