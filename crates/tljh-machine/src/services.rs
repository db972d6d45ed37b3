//! The two services of an installation, and where they listen on loopback.

use std::net::Ipv4Addr;

/// The unit of JupyterHub.
pub const HUB_UNIT: &str = "jupyterhub.service";
/// The unit of the proxy.
pub const PROXY_UNIT: &str = "tljh-proxy.service";
/// Address of the hub and of the proxy's REST API.
pub const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Port of the hub; upstream's.
pub const HUB_PORT: u16 = 15001;
/// Port of the proxy's REST API.
pub const PROXY_API_PORT: u16 = 15002;
