//! One module for each subcommand.

pub mod listen;
pub mod reload;
pub mod reload_certificate;
pub mod render_docs;
pub mod run;
pub mod status;
