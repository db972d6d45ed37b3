//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tljh_terminal::Verbosity;

use crate::requirement::Requirement;

/// Change and look after the user environment of The Littlest JupyterHub
#[derive(Debug, Parser)]
#[command(name = "tljh-user-env", version, arg_required_else_help = true)]
#[command(after_long_help = "\
The environment is a Python virtual environment at /opt/tljh/user, a link to the
active one of the generations in /opt/tljh/generations. A change makes a new
generation beside the active one, tries it out with a throw-away server, and
switches to it only if that answers. Servers and kernels that run go on with the
generation that they started with; new ones get the new one.

Members of jupyterhub-admins may also use `pip install` as they are used to: it
changes the active generation, and the next change carries it along.

Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  the command line was not understood

Examples:
  Install a package for everybody:
      sudo tljh-user-env install 'pandas>=2' matplotlib
  Take the last change back:
      sudo tljh-user-env rollback
  Find out what is wrong, and mend it:
      tljh-user-env check
      sudo tljh-user-env repair")]
pub struct Cli {
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// Below which folder everything is; for images and tests
    #[arg(long, global = true, hide = true, default_value = "/")]
    pub root: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install packages, with all that they need, for everybody
    #[command(after_long_help = "\
Example:
  sudo tljh-user-env install pandas 'scikit-learn>=1.4,<2'")]
    Install {
        /// A name, perhaps with extras, versions or a marker: `pandas`, `'dask[array]>=2024'`
        #[arg(required = true, value_name = "REQUIREMENT")]
        requirements: Vec<Requirement>,
        #[command(flatten)]
        manner: Manner,
    },
    /// Remove packages; what only they needed stays
    #[command(after_long_help = "\
Example:
  sudo tljh-user-env remove pandas")]
    Remove {
        /// The names of packages
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<Requirement>,
        #[command(flatten)]
        manner: Manner,
    },
    /// Upgrade packages to the newest versions that fit; without names, all that were installed by name
    #[command(after_long_help = "\
JupyterLab, JupyterHub and what else came with tljh are upgraded by `apt upgrade`.

Example:
  sudo tljh-user-env upgrade pandas")]
    Upgrade {
        /// The names of packages
        #[arg(value_name = "NAME", value_parser = name)]
        names: Vec<Requirement>,
        #[command(flatten)]
        manner: Manner,
    },
    /// Install what a file of requirements says
    #[command(after_long_help = "\
The file is pip's requirements.txt: versions, hashes, indexes, wheels by path or address.

Example:
  sudo tljh-user-env apply -f requirements.txt")]
    Apply {
        /// The file
        #[arg(short, long)]
        file: PathBuf,
        #[command(flatten)]
        manner: Manner,
    },
    /// Print what is installed as a requirements.txt for `apply`
    #[command(after_long_help = "\
Example:
  tljh-user-env export > requirements.txt")]
    Export,
    /// List the packages, and what was changed by hand
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show which versions of a package can be had
    #[command(after_long_help = "\
A star marks the version that is installed. The indexes are those that `install` uses.

Example:
  tljh-user-env search pandas")]
    Search {
        /// The name of a package
        #[arg(value_parser = name)]
        name: Requirement,
        /// Show old versions too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        form: Form,
    },
    /// List the generations
    #[command(visible_alias = "generations")]
    History {
        #[command(flatten)]
        form: Form,
    },
    /// Show the packages that differ between two generations
    #[command(after_long_help = "\
Without numbers: what the active generation changed. With one: what leads from that generation
to the active one.

Example:
  tljh-user-env diff 3 5")]
    Diff {
        /// From this generation
        #[arg(value_name = "N")]
        from: Option<u64>,
        /// To this generation
        #[arg(value_name = "M")]
        to: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// Switch to another generation, without a number to the one before
    #[command(after_long_help = "\
Example:
  sudo tljh-user-env rollback")]
    Rollback {
        /// The generation
        #[arg(value_name = "N")]
        number: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// Remove old generations that nobody uses
    #[command(after_long_help = "\
The active one, the first one, and those of running servers and kernels stay.

Example:
  sudo tljh-user-env prune --keep 3")]
    Prune {
        /// How many of the newest to keep
        #[arg(long, default_value_t = 5)]
        keep: usize,
        /// Only tell which
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Tell whether the active generation is sound
    #[command(after_long_help = "\
Exit code 1 if servers may not start. Requirements that are not met, and packages that were
changed by hand, are told and are no failure.

Example:
  tljh-user-env check")]
    Check {
        /// Also start a throw-away server
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Mend the active generation, or switch to one that works
    #[command(after_long_help = "\
First modes are set right. If servers still do not start, the generation is taken back to what it
was when it was made, else to the one before; at last the environment that came with tljh is
made anew.

Example:
  sudo tljh-user-env repair")]
    Repair {
        /// Make the environment that came with tljh anew, whatever there is
        #[arg(long)]
        fresh: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Make the environment from the wheels of this package, unless there is one
    Ensure,
    /// Byte-compile the environment, so that servers start faster, and remove what its making left
    Compile,
    /// Tell whether there is an environment, and its Python
    Status {
        #[command(flatten)]
        form: Form,
    },
    /// Write manual pages and completions
    #[command(hide = true)]
    RenderDocs {
        /// Where to
        folder: PathBuf,
    },
}

/// How a change is made.
#[derive(Debug, Clone, Copy, Args)]
pub struct Manner {
    /// Show what would be done and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub form: Form,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// A name alone.
fn name(text: &str) -> Result<Requirement, String> {
    let requirement: Requirement = text
        .parse()
        .map_err(|error: crate::requirement::RequirementError| error.to_string())?;
    if requirement.is_name() {
        Ok(requirement)
    } else {
        Err(format!("`{text}` is more than the name of a package"))
    }
}
