//! Upgrades that a package brings about: of the defaults that came with it, and to another Python of the system.

pub mod carry;
pub mod defaults;
mod hub;
pub mod named;
pub mod python;
mod rehearsal;
mod takeover;
