//! A generation is tried out before anybody gets it: a throw-away server has to answer, without root's rights.

mod kernel;

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::unistd::{Gid, Uid};
use tljh_machine::{CommandError, Invocation, Runner as _, SystemRunner, files, http, wait_for};

use crate::error::UserEnvError;
use crate::interrupt;
use crate::manifest::{HUB, Package};

pub use kernel::verify_kernel;

/// A cold start on a small machine under load.
const DEADLINE: Duration = Duration::from_secs(180);
/// What a kernel is made of; it starts only once somebody opens a notebook.
const KERNEL: &str = "import ipykernel.kernelapp, ipykernel.ipkernel, IPython, zmq";
/// Packages without which nobody can log in or open a notebook.
pub const SERVER: [&str; 4] = [HUB, "jupyterlab", "jupyter-server", "ipykernel"];
const PREFIX: &str = "/user/check/";

/// Tries out the environment at `environment`: what kernels import can be imported, and a single-user server, started
/// as JupyterHub starts it, answers and shows JupyterLab.
///
/// # Errors
/// It does not, with the end of what it printed.
pub fn verify(environment: &Path, packages: &[Package]) -> Result<(), UserEnvError> {
    let failed = |source| UserEnvError::Trial { source };
    let home = tempfile::Builder::new()
        .prefix("tljh-trial-")
        .tempdir()
        .map_err(failed)?;
    let visitor = Visitor::new(environment, home.path())?;
    let kernel = visitor.python(&["-c", KERNEL], &[]).deadline(DEADLINE);
    let hub = StandIn::start(version_of(packages, HUB)).map_err(failed)?;
    let port = free_port().map_err(failed)?;
    let mut log = tempfile::tempfile().map_err(failed)?;
    let server = visitor.python(
        &["-m", "jupyterhub.singleuser"],
        &server_settings(hub.port, port),
    );
    let mut server = SystemRunner.begin(&server, &log)?;
    // While the server starts.
    if let Err(CommandError::Failed { message, .. }) = SystemRunner.run(&kernel) {
        return Err(UserEnvError::Broken {
            what: "a kernel does not start".into(),
            log: telling(&message),
        });
    }
    let answers = |path: &str| http::status("", port, &format!("{PREFIX}{path}"));
    let answer = wait_for(DEADLINE, || {
        if server.has_ended() || interrupt::is_asked() {
            return Some(false);
        }
        (answers("api") == Some(200)).then_some(true)
    });
    let what = match answer {
        // JupyterLab's page sends people who are not logged in to the hub.
        Some(true) => match answers("lab") {
            Some(200..400) => return Ok(()),
            status => format!(
                "JupyterLab is not served (HTTP status {})",
                status.map_or("none".into(), |status| status.to_string())
            ),
        },
        Some(false) => "a user's server does not start".into(),
        None => format!(
            "a user's server does not answer within {} s",
            DEADLINE.as_secs()
        ),
    };
    drop(server);
    Err(UserEnvError::Broken {
        what,
        log: end_of(&mut log),
    })
}

/// Somebody without rights, in a home of their own.
pub struct Visitor<'a> {
    environment: &'a Path,
    home: &'a Path,
    dropped: Vec<String>,
}

impl<'a> Visitor<'a> {
    /// A visitor of `environment` whose home is `home`.
    ///
    /// # Errors
    /// The home cannot be given to them.
    pub fn new(environment: &'a Path, home: &'a Path) -> Result<Self, UserEnvError> {
        let mut dropped = Vec::new();
        if Uid::effective().is_root() {
            let nobody = users::get_user_by_name("nobody");
            let (uid, gid) = nobody.map_or((65534, 65534), |nobody| {
                (nobody.uid(), nobody.primary_group_id())
            });
            files::ensure_owner(home, Uid::from_raw(uid), Gid::from_raw(gid))?;
            dropped = vec![
                "setpriv".into(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".into(),
                "--inh-caps=-all".into(),
                "--no-new-privs".into(),
                // It ends with us, also when we are killed.
                "--pdeathsig=KILL".into(),
                "--".into(),
            ];
        }
        Ok(Self {
            environment,
            home,
            dropped,
        })
    }

    /// The environment's Python with nothing of our own environment variables.
    fn python(&self, arguments: &[&str], settings: &[(&str, String)]) -> Invocation {
        let python = self.environment.join("bin/python").display().to_string();
        let line: Vec<&str> = std::iter::once(python.as_str())
            .chain(arguments.iter().copied())
            .collect();
        self.run(&line, settings)
    }

    /// A program and its arguments, with `settings` and nothing else of our own environment variables.
    pub fn run(&self, program: &[&str], settings: &[(&str, String)]) -> Invocation {
        let home = self.home.display();
        let mut line = self.dropped.clone();
        line.extend([
            "env".into(),
            format!("--chdir={home}"),
            "--ignore-environment".into(),
            format!("HOME={home}"),
            format!("TMPDIR={home}"),
            "LC_ALL=C.UTF-8".into(),
            format!(
                "PATH={}/bin:/usr/local/bin:/usr/bin:/bin",
                self.environment.display()
            ),
        ]);
        line.extend(
            settings
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        line.extend(program.iter().map(ToString::to_string));
        let (program, rest) = line.split_at(1);
        Invocation::new(&program[0]).args(rest)
    }
}

/// What JupyterHub tells a server (jupyterhub.spawner, `get_env`).
fn server_settings(hub: u16, port: u16) -> [(&'static str, String); 9] {
    let api = format!("http://127.0.0.1:{hub}/hub/api");
    [
        ("JUPYTERHUB_API_TOKEN", "none".into()),
        (
            "JUPYTERHUB_ACTIVITY_URL",
            format!("{api}/users/check/activity"),
        ),
        ("JUPYTERHUB_API_URL", api),
        ("JUPYTERHUB_BASE_URL", "/".into()),
        ("JUPYTERHUB_CLIENT_ID", "jupyterhub-user-check".into()),
        (
            "JUPYTERHUB_OAUTH_CALLBACK_URL",
            format!("{PREFIX}oauth_callback"),
        ),
        ("JUPYTERHUB_SERVICE_PREFIX", PREFIX.into()),
        (
            "JUPYTERHUB_SERVICE_URL",
            format!("http://127.0.0.1:{port}{PREFIX}"),
        ),
        ("JUPYTERHUB_USER", "check".into()),
    ]
}

/// In the place of the hub, of which a server asks only the version before it begins. Nobody can log in through it.
struct StandIn {
    port: u16,
}

impl StandIn {
    fn start(version: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        // Ends with this program.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &version);
            }
        });
        Ok(Self { port })
    }
}

fn answer(mut stream: TcpStream, version: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 65_536 {
        match stream.read(&mut piece)? {
            0 => break,
            length => request.extend_from_slice(&piece[..length]),
        }
    }
    let is_version = request.starts_with(b"GET /hub/api ");
    let (status, body) = if is_version {
        ("200 OK", format!(r#"{{"version": "{version}"}}"#))
    } else {
        ("403 Forbidden", "{}".into())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-JupyterHub-Version: {version}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn version_of(packages: &[Package], name: &str) -> String {
    packages
        .iter()
        .find(|package| package.is(name))
        .map(|package| package.version.clone())
        .unwrap_or_default()
}

/// Free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// The exceptions in a log, else its last lines.
fn end_of(log: &mut File) -> String {
    let mut text = Vec::new();
    let _ = log.rewind().and_then(|()| log.read_to_end(&mut text));
    telling(&String::from_utf8_lossy(&text))
}

fn telling(log: &str) -> String {
    const SHOWN: usize = 8;
    let lines: Vec<&str> = log.trim().lines().collect();
    let mut errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| is_exception(line))
        .collect();
    errors.dedup();
    let chosen = if errors.is_empty() { lines } else { errors };
    chosen[chosen.len().saturating_sub(SHOWN)..].join("\n")
}

/// As a traceback ends: `package.SomeError: why`.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains(' ')
        && ["Error", "Exception", "Exit"]
            .iter()
            .any(|end| last.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_exceptions_tell_most() {
        let log = "[I] starting\nTraceback (most recent call last):\n  File \"x\", line 1\nModuleNotFoundError: No module named 'a'\n\nThe above exception was the cause\n\nImportError: Failed to import.\n  pip install x\n";
        assert_eq!(
            telling(log),
            "ModuleNotFoundError: No module named 'a'\nImportError: Failed to import."
        );
        assert_eq!(
            telling("one\nError while doing: x\n"),
            "one\nError while doing: x"
        );
    }
}
