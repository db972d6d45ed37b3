//! What makes an environment and changes it.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// conda's records of what is installed, below an environment.
pub const CONDA_META: &str = "conda-meta";

/// The engines that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A virtual environment of the system's Python (PEP 405), changed by uv.
    Venv,
    /// A conda environment with a Python of its own, changed by `tljh-conda`.
    Conda,
}

impl Engine {
    /// The engine of the environment at `folder`.
    pub fn of(folder: &Path) -> Self {
        if folder.join(CONDA_META).is_dir() {
            Self::Conda
        } else {
            Self::Venv
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Venv => "venv",
            Self::Conda => "conda",
        })
    }
}
