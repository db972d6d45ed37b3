//! `tljh-proxy render-docs`

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::error::Error;

/// Writes the manual pages and completions under `folder`.
pub fn run(folder: &Path) -> Result<(), Error> {
    tljh_terminal::render_docs(Cli::command(), folder).map_err(Error::RenderDocs)
}
