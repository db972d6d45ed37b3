//! `tljh-config render-docs DIR`, used when the package is built.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::completion;
use crate::error::Error;

/// Writes manual pages, completions and `config.schema.json`.
pub fn run(folder: &Path) -> Result<(), Error> {
    tljh_terminal::render_docs(Cli::command(), folder)?;
    completion::write_scripts(&folder.join("completions"))?;
    let path = folder.join("config.schema.json");
    std::fs::write(&path, tljh_settings::render_schema())
        .map_err(|source| Error::Schema { path, source })
}
