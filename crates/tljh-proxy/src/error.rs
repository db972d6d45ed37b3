//! What can keep the proxy from starting.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tljh_terminal::{Hinted, RenderError};

use crate::tls::SelfMadeError;

/// One variant for each operation that can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the settings in `{}` are not valid", path.display())]
    SettingsFile {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("the settings are not valid")]
    Settings { source: serde_json::Error },
    #[error("the settings hold no API token")]
    NoToken,
    #[error("neither `--settings` nor systemd gives any settings")]
    NoSettings,
    #[error("neither `--state-dir` nor systemd gives a folder for the routes")]
    NoStateFolder,
    #[error("could not read the settings that were handed over")]
    HandedSettings { source: io::Error },
    #[error("could not hold the settings in memory")]
    HoldSettings { source: io::Error },
    #[error("what systemd kept for the proxy cannot be used")]
    Kept { source: io::Error },
    #[error("systemd did not take the sockets and the settings")]
    Keep { source: io::Error },
    #[error("the running proxy does not say what it has, or does not take more")]
    Ask { source: io::Error },
    #[error("no proxy runs that could be replaced: `{}` does not answer", path.display())]
    NotRunning { path: PathBuf, source: io::Error },
    #[error("could not make `{}`, by which a successor takes over", path.display())]
    Control { path: PathBuf, source: io::Error },
    #[error("could not make known that this process serves")]
    Announce { source: io::Error },
    #[error("could not start the new process")]
    Spawn { source: io::Error },
    #[error("the new process did not take over within {seconds} s, and the running one goes on")]
    NoSuccessor { seconds: u64 },
    #[error("systemd did not reload the proxy")]
    Reload { source: io::Error },
    #[error("going on with the old certificate: {what}")]
    OwnCertificate { what: String },
    #[error("the API token in `{}` is empty", path.display())]
    EmptyToken { path: PathBuf },
    #[error("`{address}` is not an IP address to listen on")]
    ListenAddress {
        address: String,
        source: std::net::AddrParseError,
    },
    #[error("could not listen on `{address}`, which {holder} holds")]
    PortHeld {
        address: SocketAddr,
        holder: String,
        source: io::Error,
    },
    #[error("could not listen on `{address}`")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("could not open the socket `{}`", path.display())]
    SocketFile { path: PathBuf, source: io::Error },
    #[error("there is no group `{group}`, which is to use the socket")]
    SocketGroup {
        group: String,
        source: Option<io::Error>,
    },
    #[error("could not start the worker threads")]
    Runtime { source: io::Error },
    #[error("could not make ready for HTTPS")]
    Tls { source: rustls::Error },
    #[error("could not make a certificate to begin with")]
    StandIn(#[source] SelfMadeError),
    #[error("could not read the status in `{}`", path.display())]
    Status { path: PathBuf, source: io::Error },
    #[error("could not watch for signals")]
    Signals { source: io::Error },
    #[error(transparent)]
    RenderDocs(RenderError),
}

impl Hinted for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::PortHeld { address, .. } | Self::Listen { address, .. } => Some(format!(
                "run `sudo ss -ltnp 'sport = :{port}'` to see the program that holds the port",
                port = address.port()
            )),
            Self::SocketFile { path, .. } => Some(format!(
                "run `sudo ss -lxp src {path}; ls -ld {path}` to see what is there",
                path = path.display()
            )),
            Self::SocketGroup { .. } => Some(
                "run `sudo tljh-config set http.socket_group www-data`, or name the group of the \
                 other proxy"
                    .into(),
            ),
            Self::NoSettings | Self::NoStateFolder | Self::NotRunning { .. } => {
                Some("run `sudo systemctl start tljh-proxy.service`".into())
            }
            Self::OwnCertificate { .. } => {
                Some("run `sudo tljh-config check` once it is mended".into())
            }
            Self::NoSuccessor { .. } | Self::Reload { .. } => {
                Some("run `sudo journalctl --unit tljh-proxy.service` to see why".into())
            }
            Self::Status { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run `sudo tljh-proxy status`".into())
            }
            Self::Status { .. } => Some(
                "run `sudo systemctl start tljh-proxy.service`: the proxy writes it when it starts"
                    .into(),
            ),
            Self::Read { .. }
            | Self::SettingsFile { .. }
            | Self::Settings { .. }
            | Self::NoToken
            | Self::EmptyToken { .. }
            | Self::ListenAddress { .. } => {
                Some("run `sudo tljh-config reload proxy` to render the settings again".into())
            }
            _ => None,
        }
    }
}
