//! One module for each subcommand.

pub mod render_docs;
pub mod run;
