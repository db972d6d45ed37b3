//! `tljh-config render-docs DIR`, used when the package is built.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::completion;
use crate::error::Error;

/// Writes manual pages and completions.
pub fn run(folder: &Path) -> Result<(), Error> {
    tljh_terminal::render_docs(Cli::command(), folder)?;
    completion::write_scripts(&folder.join("completions"))
}
