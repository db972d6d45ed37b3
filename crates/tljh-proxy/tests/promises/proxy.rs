//! The real program, on free ports, with a state directory of its own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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
        let settings = folder.path().join("proxy.json");
        let mut text: Value = serde_json::from_slice(&std::fs::read(&settings).unwrap()).unwrap();
        let more = more.as_object().unwrap().clone();
        text.as_object_mut().unwrap().extend(more);
        std::fs::write(&settings, text.to_string()).unwrap();
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
        let lines = BufReader::new(proxy.child.stderr.take().unwrap()).lines();
        let log = proxy.log.clone();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| *log.lock().unwrap() += &(line + "\n"))
        });
        until("the proxy serves", || {
            proxy.log().contains("serving on").then_some(())
        });
        proxy.idle = proxy.descriptors();
        proxy
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
    pub fn stop(&mut self) -> std::process::ExitStatus {
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
    }
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
    command
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
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
