//! The proxy within the process of a fuzz target: libFuzzer sees what its input reaches, and a panic in any thread is a
//! find.

#![allow(dead_code, reason = "the targets take what they are after")]

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

#[path = "../../tests/generated/mod.rs"]
pub mod generated;

use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use tempfile::TempDir;

pub const TOKEN: &str = "correct-horse";

/// How long an end is waited for. Random bytes may well say that more is to come.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// A running proxy.
pub struct Proxy {
    pub port: u16,
    pub api_port: u16,
    folder: TempDir,
}

impl Proxy {
    /// Starts it, in memory alone.
    pub fn start() -> Self {
        let folder = TempDir::new_in("/dev/shm").unwrap();
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, api_port] = free
            .each_ref()
            .map(|free| free.local_addr().unwrap().port());
        drop(free);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        let settings = serde_json::json!({
            "http_address": "127.0.0.1", "http_port": port, "api_port": api_port, "hub_wait": 0,
        });
        std::fs::write(path("proxy.json"), settings.to_string()).unwrap();
        std::fs::write(path("token"), TOKEN).unwrap();
        let (settings, token, state) = (path("proxy.json"), path("token"), path("state"));
        thread::spawn(move || {
            let words = [
                "tljh-proxy",
                "run",
                "--settings",
                &settings,
                "--token-file",
                &token,
                "--state-dir",
                &state,
            ];
            let cli::Command::Run(options) = cli::Cli::parse_from(words).command else {
                unreachable!("what was asked for");
            };
            commands::run::run(&options).unwrap();
            // It was told to end.
            std::process::exit(0);
        });
        let proxy = Self {
            port,
            api_port,
            folder,
        };
        while std::net::TcpStream::connect(("127.0.0.1", api_port)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    /// Where the routes are kept.
    pub fn routes(&self) -> PathBuf {
        self.folder.path().join("state/routes.json")
    }

    /// The API over the table.
    pub fn api<'a>(&self, file: &'a PathBuf) -> generated::calls::Api<'a> {
        generated::calls::Api {
            port: self.api_port,
            token: TOKEN,
            file,
            patience: 10 * PATIENCE,
        }
    }

    /// Leads all requests to the backend.
    pub fn lead_to(&self, backend: u16) -> u16 {
        self.api(&self.routes()).lead_to(backend);
        self.port
    }
}
