//! What the proxy promises, shown with the real program between real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, its helpers outside of test functions too"
)]

mod backend;
mod client;
mod proxy;
mod secure;

#[path = "../generated/mod.rs"]
mod generated;

mod api;
mod behind;
mod forwarding;
mod host_routing;
mod http2;
mod hub_page;
mod journal;
mod metrics;
mod nginx;
mod persistence;
mod soak;
mod starting;
mod streaming;
mod strictness;
mod takeover;
mod tls;
mod waiting;
mod websocket;
