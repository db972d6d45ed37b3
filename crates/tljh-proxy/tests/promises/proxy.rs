//! The real program, on free ports, with a state directory of its own.

use std::io::{BufRead as _, BufReader};
use std::iter;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{self, Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Response, request};

pub const TOKEN: &str = "correct-horse";

/// How long anything here may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Proxy {
    pub folder: TempDir,
    pub port: u16,
    pub api_port: u16,
    /// Descriptors that it had open before its first connection.
    pub idle: usize,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Proxy {
    pub fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    pub fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, |_| ())
    }

    pub fn start_with(folder: TempDir, change: impl FnOnce(&mut Command)) -> Self {
        Self::start_as(folder, json!({}), change)
    }

    /// With more settings than the ports.
    pub fn start_set(settings: Value) -> Self {
        Self::start_as(TempDir::new().unwrap(), settings, |_| ())
    }

    fn start_as(folder: TempDir, more: Value, change: impl FnOnce(&mut Command)) -> Self {
        let (port, api_port) = (free_port(), free_port());
        let mut command = command(&folder, port, api_port);
        set(&folder, more);
        change(&mut command);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut proxy = Self {
            folder,
            port,
            api_port,
            idle: 0,
            child,
            log: Arc::default(),
        };
        let said = proxy.child.stderr.take().unwrap();
        proxy.listen_to(said);
        until("the proxy serves", || {
            proxy.log().contains("serving on").then_some(())
        });
        proxy.idle = proxy.descriptors();
        proxy
    }

    /// Keeps what a process says.
    fn listen_to(&self, said: ChildStderr) {
        let lines = BufReader::new(said).lines();
        let log = self.log.clone();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| *log.lock().unwrap() += &(line + "\n"))
        });
    }

    /// Changes settings in the file; nobody reads it yet.
    pub fn set(&self, more: Value) {
        set(&self.folder, more);
    }

    /// Runs root's part, as systemd does before each start and reload.
    pub fn listen(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
            .env_clear()
            .arg("listen")
            .arg("--settings")
            .arg(self.folder.path().join("proxy.json"))
            .arg("--token-file")
            .arg(self.folder.path().join("token"))
            .arg("--runtime-dir")
            .arg(self.folder.path())
            .output()
            .unwrap()
    }

    /// Has a new process take over, and gives its number.
    pub fn reload(&self) -> i32 {
        let before = self.processes();
        let mut reload = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .arg("reload")
            .arg("--state-dir")
            .arg(self.folder.path().join("state"))
            .arg("--runtime-dir")
            .arg(self.folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.listen_to(reload.stderr.take().unwrap());
        assert!(reload.wait().unwrap().success(), "{}", self.log());
        let new = self.processes();
        let new = new.into_iter().find(|process| !before.contains(process));
        new.expect("a new process")
    }

    /// The processes that serve from this folder: the first one, and those that took over since.
    pub fn processes(&self) -> Vec<i32> {
        let folder = self.folder.path().to_str().unwrap();
        let all = procfs::process::all_processes().unwrap().flatten();
        let ours = all.filter(|process| {
            let words = process.cmdline().unwrap_or_default();
            words
                .first()
                .is_some_and(|word| word.ends_with("tljh-proxy"))
                && words.iter().any(|word| word == "run")
                && words.iter().any(|word| word.starts_with(folder))
        });
        ours.map(|process| process.pid).collect()
    }

    /// The first process.
    pub fn first(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Starts again with the same state after whatever ended it.
    pub fn start_again(self) -> Self {
        let mut this = self;
        let folder = std::mem::replace(&mut this.folder, TempDir::new().unwrap());
        drop(this);
        Self::start_in(folder)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and gives the exit status.
    pub fn stop(&mut self) -> process::ExitStatus {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        until("the proxy ends", || self.child.try_wait().unwrap())
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// A figure of /proc/PID/status, in KiB.
    pub fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Descriptors that it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    pub fn api(&self, method: &str, path: &str, body: &str) -> Response {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: api\r\nAuthorization: token {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        request(self.api_port, head.as_bytes())
    }

    pub fn add_route(&self, prefix: &str, target_port: u16) {
        let body = json!({"target": format!("http://127.0.0.1:{target_port}")}).to_string();
        assert_eq!(
            self.api("POST", &format!("/api/routes{prefix}"), &body)
                .status,
            201
        );
    }

    /// Tells a route as the hub tells its own.
    pub fn add_hub_route(&self, prefix: &str, target_port: u16) {
        let target = format!("http://127.0.0.1:{target_port}");
        let body = json!({"hub": true, "target": target}).to_string();
        let answer = self.api("POST", &format!("/api/routes{prefix}"), &body);
        assert_eq!(answer.status, 201);
    }

    pub fn routes(&self) -> Value {
        let response = self.api("GET", "/api/routes", "");
        assert_eq!(response.status, 200);
        serde_json::from_slice(&response.body).unwrap()
    }

    pub fn get(&self, target: &str) -> Response {
        request(
            self.port,
            format!("GET {target} HTTP/1.1\r\nHost: hub.test\r\n\r\n").as_bytes(),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in self.processes() {
            let _ = Command::new("kill")
                .args(["-KILL", &process.to_string()])
                .status();
        }
    }
}

/// Changes settings in the file.
fn set(folder: &TempDir, more: Value) {
    let path = folder.path().join("proxy.json");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let more = more.as_object().unwrap().clone();
    text.as_object_mut().unwrap().extend(more);
    std::fs::write(&path, text.to_string()).unwrap();
}

/// The command that starts the proxy with settings written into `folder`.
pub fn command(folder: &TempDir, port: u16, api_port: u16) -> Command {
    let settings = folder.path().join("proxy.json");
    let token = folder.path().join("token");
    let text = json!({"http_address": "", "http_port": port, "api_address": "127.0.0.1", "api_port": api_port, "hub_wait": 0});
    std::fs::write(&settings, text.to_string()).unwrap();
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tljh-proxy"));
    command
        .env_clear()
        .arg("run")
        .arg("--settings")
        .arg(settings)
        .arg("--token-file")
        .arg(token);
    command.arg("--state-dir").arg(folder.path().join("state"));
    command.arg("--runtime-dir").arg(folder.path());
    command
}

/// A port where nobody listens, and that nobody gets who asks for any: it is below those that Linux gives away
/// (`ip_local_port_range`, from 32768), so that it stays free beside the tests that run at the same time.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    iter::repeat_with(|| {
        let number = process::id() * 97 + GIVEN.fetch_add(1, Ordering::Relaxed);
        u16::try_from(20_000 + number % 12_000).unwrap()
    })
    .find(is_free)
    .unwrap()
}

/// Tries until there is an answer, or fails the test at the deadline.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
