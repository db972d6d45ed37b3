//! The machine that tljh runs on.
//!
//! Paths under one root, files written atomically, child processes with a deadline, systemd, accounts of
//! hub users and their registry. Every change of the machine that a tljh program makes is made here, by an
//! `ensure_` that may be repeated and interrupted. Child processes go through [`Runner`], whose double
//! [`Recorder`] lets tests see what would run.

pub mod account;
pub mod background;
pub mod command;
pub mod durable;
pub mod files;
pub mod history;
pub mod http;
pub mod mount;
pub mod paths;
pub mod ports;
pub mod recorder;
pub mod registry;
pub mod running;
pub mod services;
pub mod snippets;
pub mod systemd;
pub mod tree;
mod wait;

pub use command::{CommandError, Invocation, Output, Runner, SystemRunner};
pub use paths::Paths;
pub use recorder::Recorder;
pub use systemd::Systemd;
pub use wait::wait_for;
