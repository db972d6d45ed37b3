//! What can keep the proxy from starting.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tljh_terminal::{Hinted, RenderError};

/// One variant for each operation that can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("neither a path on the command line nor `${variable}` in the environment is given")]
    NotGiven { variable: &'static str },
    #[error("could not read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the settings in `{}` are not valid", path.display())]
    Settings {
        path: PathBuf,
        source: serde_json::Error,
    },
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
    #[error("could not start the worker threads")]
    Runtime { source: io::Error },
    #[error("could not watch for signals")]
    Signals { source: io::Error },
    #[error(transparent)]
    RenderDocs(RenderError),
}

impl Hinted for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotGiven { .. } => Some(
                "run `systemctl start tljh-proxy.service`, or see `tljh-proxy run --help`".into(),
            ),
            Self::PortHeld { address, .. } => Some(format!(
                "run `sudo ss -ltnp 'sport = :{port}'` to see the program that holds the port",
                port = address.port()
            )),
            Self::Listen { address, source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some(format!(
                    "run `systemctl start tljh-proxy.service`: ports below 1024, as {port}, need the unit's capability",
                    port = address.port()
                ))
            }
            Self::Read { .. }
            | Self::Settings { .. }
            | Self::EmptyToken { .. }
            | Self::ListenAddress { .. } => {
                Some("run `sudo tljh-config reload proxy` to render the settings again".into())
            }
            _ => None,
        }
    }
}
