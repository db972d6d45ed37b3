//! Enabling, starting and stopping the services.
//!
//! A service that does not start is the administrator's to mend (a port in use, a broken configuration):
//! it is said with the command that helps, and never fails the package.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tljh_machine::files::FileError;
use tljh_machine::services::{HUB_PORT, HUB_UNIT as HUB, PROXY_UNIT as PROXY};
use tljh_machine::systemd::UnitState;
use tljh_machine::{Invocation, Paths, Runner, Systemd, files, http, ports, wait_for};
use tljh_settings::Settings;
use tljh_terminal::{Hinted, render_error};

use crate::error::HubError;
use crate::packages;

/// Holds every user server and nothing else.
const USER_SERVERS: &str = "tljh-users.slice";
const COMPILATION: &str = "tljh-user-env-compile.service";
const COMPILATION_DEADLINE: Duration = Duration::from_secs(600);
/// Makes the user environment anew where the system has another Python.
const PYTHON_UPGRADE: &str = "tljh-user-env-python.service";
/// Packages may have to be fetched.
const PYTHON_UPGRADE_DEADLINE: Duration = Duration::from_secs(1800);
/// A cold hub on a small machine, after the old one has waited for servers that were being started.
const LOGIN_PAGE_DEADLINE: Duration = Duration::from_secs(120);
/// Starts of a hub that ends at once, after which no further one will do better; what worked last has had its chance.
const FUTILE_STARTS: u32 = 5;
/// Above what our units give themselves to stop (45 s).
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Enables the services where that is wanted and, on a booted machine, starts them without waiting.
pub fn begin(paths: &Paths, runner: &dyn Runner, enable: bool) -> Result<(), HubError> {
    begin_proxy(paths, runner, enable)?;
    begin_hub(paths, runner, enable)
}

/// Likewise the proxy alone. Until there is a hub it tells people to wait.
pub fn begin_proxy(paths: &Paths, runner: &dyn Runner, enable: bool) -> Result<(), HubError> {
    let systemd = Systemd::new(runner);
    if enable {
        systemd.enable(&[PROXY])?;
    }
    if Systemd::is_booted(paths) {
        systemd.reload_manager()?;
        begin_renewal(systemd, PROXY);
    }
    Ok(())
}

/// Likewise the hub, for which all must be ready: from now on people may log in.
pub fn begin_hub(paths: &Paths, runner: &dyn Runner, enable: bool) -> Result<(), HubError> {
    let systemd = Systemd::new(runner);
    if enable {
        systemd.enable(&[HUB])?;
    }
    ensure_not_removed(paths)?;
    if Systemd::is_booted(paths) {
        begin_renewal(systemd, HUB);
    }
    Ok(())
}

fn begin_renewal(systemd: Systemd, unit: &str) {
    // Refused only for units that an administrator masked, which is their wish.
    if let Err(error) = systemd.begin_renewal(unit) {
        log::warn!("{error}");
    }
}

/// A file that becomes the removal's mark by its name alone, since a removal may be what shall make room on a full disk.
fn installation_mark(paths: &Paths) -> PathBuf {
    paths.state().join("installed")
}

fn ensure_not_removed(paths: &Paths) -> Result<(), FileError> {
    let (removed, installed) = (paths.removal_marker(), installation_mark(paths));
    if removed.exists() {
        return files::rename(&removed, &installed);
    }
    if paths.state().is_dir() && !installed.exists() {
        files::write_atomically(&installed, b"", 0o600)?;
    }
    Ok(())
}

/// Notes that the services are to be enabled when the package comes back.
fn ensure_removal_noted(paths: &Paths) -> Result<(), FileError> {
    let (removed, installed) = (paths.removal_marker(), installation_mark(paths));
    if installed.exists() {
        return files::rename(&installed, &removed);
    }
    if paths.state().is_dir() && !removed.exists() {
        files::write_atomically(&removed, b"", 0o600)?;
    }
    Ok(())
}

/// Has the user environment byte-compiled: in the background where people wait for the login page, at once
/// where an image is built.
pub fn begin_compilation(paths: &Paths, runner: &dyn Runner) {
    let begun = if Systemd::is_booted(paths) {
        Systemd::new(runner).begin_start(COMPILATION)
    } else {
        let compile = Invocation::new("tljh-user-env")
            .arg("compile")
            .deadline(COMPILATION_DEADLINE);
        runner.run(&compile).map(drop)
    };
    if let Err(error) = begun {
        log::warn!("user servers will start more slowly: {error}");
    }
}

/// Has the user environment follow the system's Python, if that has changed: in the background, since apt should not
/// wait for an index, but at once where an image is built.
pub fn begin_python_upgrade(paths: &Paths, runner: &dyn Runner) {
    let begun = if Systemd::is_booted(paths) {
        Systemd::new(runner).begin_start(PYTHON_UPGRADE)
    } else {
        let upgrade = Invocation::new("tljh-user-env")
            .args(["upgrade-python", "--if-changed"])
            .deadline(PYTHON_UPGRADE_DEADLINE);
        runner.run(&upgrade).map(|done| {
            if !done.stderr.trim().is_empty() {
                log::info!("{}", done.stderr.trim());
            }
        })
    };
    if let Err(error) = begun {
        log::warn!(
            "the user environment does not follow the system's Python: {error}\n\
             hint: run `sudo tljh-user-env upgrade-python`"
        );
    }
}

/// Waits for the login page and tells where it is, or what keeps it away; `previous` is the version that was configured
/// before.
pub fn finish(paths: &Paths, runner: &dyn Runner, previous: Option<&str>) {
    if !Systemd::is_booted(paths) {
        log::info!("JupyterHub starts when this system boots");
        return;
    }
    let settings = match Settings::load(&paths.config_yaml()) {
        Ok(settings) => settings,
        Err(error) => {
            let text = render_error(&error, error.hint().as_deref());
            log::warn!(
                "JupyterHub cannot start with this configuration\n{}",
                text.trim_end()
            );
            return;
        }
    };
    let port = settings.http.port;
    if let Some(holder) =
        ports::holder(port).filter(|holder| holder.service.as_deref() != Some(PROXY))
    {
        warn_of_busy_port(port, &holder);
        return;
    }
    let page = format!("{}hub/login", settings.base_url);
    log::info!("waiting for the login page ...");
    let systemd = Systemd::new(runner);
    // In an upgrade the old hub answers until it has ended. One that ends at once has a job again and again.
    let was_renewed = Cell::new(false);
    let is_renewed = || {
        let renewed = !systemd.has_job(HUB).unwrap_or(false);
        was_renewed.set(was_renewed.get() || renewed);
        renewed
    };
    // With a certificate the proxy sends everybody on to HTTPS; whether the hub answers is asked where it listens.
    let served = || match http::status(&settings.http.address, port, &page)? {
        200 => Some(()),
        301 if settings.https.enabled => (http::status("", HUB_PORT, &page)? == 200).then_some(()),
        _ => None,
    };
    let ready = || is_renewed().then(served).flatten();
    let began = Instant::now();
    let outcome = wait_for(LOGIN_PAGE_DEADLINE, || {
        // Until the old hub has ended, the count is still its own.
        let futile = || {
            is_renewed()
                && systemd
                    .restarts(HUB)
                    .is_ok_and(|starts| starts >= FUTILE_STARTS)
        };
        ready().map(|()| true).or_else(|| futile().then_some(false))
    });
    if outcome == Some(true) {
        log::info!("JupyterHub is ready at {}", public_url(&settings, runner));
        return;
    }
    let ailing = [PROXY, HUB]
        .into_iter()
        .find(|unit| !matches!(systemd.state(unit), Ok(UnitState::Active)));
    let unit = ailing.unwrap_or(HUB);
    log::warn!(
        "the login page does not answer after {} s; `{unit}` logged last:\n{}\nhint: run `sudo journalctl --unit {unit}`",
        began.elapsed().as_secs(),
        systemd.journal(unit, 10, None).trim_end()
    );
    if !was_renewed.get() {
        log::warn!(
            "the hub of before does not stop\nhint: run `sudo systemctl kill --signal=KILL {HUB}`"
        );
        return;
    }
    let version = packages::version(runner);
    if let Some(previous) = previous.filter(|previous| *previous != version) {
        log::warn!(
            "hint: or go back to the version of before: run `sudo apt install {}`",
            packages::all_of(previous)
        );
    }
}

fn warn_of_busy_port(port: u16, holder: &ports::Holder) {
    let free = match &holder.service {
        Some(service) => format!("sudo systemctl disable --now {service}"),
        None => format!("sudo kill {}", holder.pid),
    };
    log::warn!(
        "port {port} is in use by `{}` (process {}), so JupyterHub cannot be reached yet\n\
         hint: free it with `{free}`, and JupyterHub takes it within seconds\n\
         hint: or use another port: `sudo tljh-config set http.port 8080 && sudo tljh-config reload proxy`",
        holder.name,
        holder.pid
    );
}

/// The address that a browser elsewhere would use, as far as this machine knows its own.
fn public_url(settings: &Settings, runner: &dyn Runner) -> String {
    let named = settings.https.letsencrypt.domains.first();
    if let Some(name) = named.filter(|_| settings.https.enabled) {
        let port = match settings.https.port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        return format!("https://{name}{port}{}", settings.base_url);
    }
    let named = (!settings.http.address.is_empty()).then(|| settings.http.address.clone());
    let host = named
        .or_else(|| {
            let asked = Invocation::new("hostname").arg("--all-ip-addresses");
            runner
                .run(&asked)
                .ok()?
                .stdout
                .split_whitespace()
                .next()
                .map(String::from)
        })
        .unwrap_or_else(|| "localhost".into());
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let port = if settings.http.port == 80 {
        String::new()
    } else {
        format!(":{}", settings.http.port)
    };
    format!("http://{host}{port}{}", settings.base_url)
}

/// Stops and disables everything that runs, user servers included.
pub fn ensure_removed(paths: &Paths, runner: &dyn Runner) -> Result<(), HubError> {
    let systemd = Systemd::new(runner);
    // Before anything is undone that it is to remember.
    ensure_removal_noted(paths)?;
    if Systemd::is_booted(paths) {
        for unit in [COMPILATION, PYTHON_UPGRADE, HUB, PROXY] {
            systemd.ensure_stopped(unit, STOP_DEADLINE)?;
            systemd.reset_failed(unit)?;
        }
        systemd.stop(USER_SERVERS)?;
        systemd.reset_failed(USER_SERVERS)?;
    }
    systemd.disable(&[HUB, PROXY])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tljh_machine::Recorder;

    #[test]
    fn a_removal_is_noted_before_what_it_undoes_so_that_a_killed_one_is_undone_in_turn() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        files::ensure_folder(&paths.state(), 0o700).unwrap();
        let failing = Recorder::default();
        failing.answer("systemctl disable", 1, "");
        assert!(ensure_removed(&paths, &failing).is_err());
        assert!(paths.removal_marker().exists());
        let runner = Recorder::default();
        begin(&paths, &runner, true).unwrap();
        assert!(!paths.removal_marker().exists());
        assert_eq!(
            runner.lines(),
            [
                "systemctl enable --quiet --no-reload -- tljh-proxy.service",
                "systemctl enable --quiet --no-reload -- jupyterhub.service",
            ]
        );
    }
}
