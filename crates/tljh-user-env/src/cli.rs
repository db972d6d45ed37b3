//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tljh_terminal::Verbosity;

use crate::engine::Engine;
use crate::named::{EnvironmentName, Title, Version};
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

Named environments, each with packages of its own, are kernels that everybody sees.

Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  the command line was not understood

Examples:
  Install a package for everybody:
      sudo tljh-user-env install 'pandas>=2' matplotlib
  Give everybody another kernel, with packages of its own:
      sudo tljh-user-env create stats pymc arviz
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
        source: Source,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        manner: Manner,
    },
    /// Remove packages; what only they needed stays
    #[command(after_long_help = "\
A name that is no installed package but a named environment takes that environment away, as
`delete` does.

Example:
  sudo tljh-user-env remove pandas")]
    Remove {
        /// The names of packages
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<Requirement>,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        manner: Manner,
    },
    /// Upgrade packages to the newest versions that fit; without names, all that were installed by name
    #[command(after_long_help = "\
JupyterLab, JupyterHub and what else came with tljh are upgraded by `apt upgrade`; where that failed,
`--defaults` tries again.

Example:
  sudo tljh-user-env upgrade pandas")]
    Upgrade {
        /// The names of packages
        #[arg(value_name = "NAME", value_parser = name)]
        names: Vec<Requirement>,
        /// Instead what came with tljh, where nobody changed it, to the versions that tljh brings now
        #[arg(long, conflicts_with = "names")]
        defaults: bool,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        manner: Manner,
    },
    /// Install what a file says
    #[command(after_long_help = "\
The file is pip's requirements.txt: versions, hashes, indexes, wheels by path or address. In a
conda environment also conda's environment.yml, or a list of archives as `conda list --explicit`
and `tljh-user-env export --lock` print it.

Example:
  sudo tljh-user-env apply -f requirements.txt")]
    Apply {
        /// The file
        #[arg(short, long)]
        file: PathBuf,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        manner: Manner,
    },
    /// Print what is installed as a file for `apply`: requirements.txt, or environment.yml of a conda environment
    #[command(after_long_help = "\
Examples:
  tljh-user-env export > requirements.txt
  tljh-user-env export --lock > lock.txt")]
    Export {
        /// With the hash of each archive, so that `apply` installs these very files or none
        #[arg(long)]
        lock: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Have the same packages on the other engine, as a new generation
    #[command(after_long_help = "\
A virtual environment (venv) has the system's Python and packages of pip's index. A conda
environment has a Python of its own and whatever the channels offer: R, GDAL, CUDA libraries.
The channels are those of the configuration (`sudo tljh-config add-item
user_environment.channels URL`), else conda-forge. What no channel has comes from pip's index.

Examples:
  sudo tljh-user-env switch conda
  sudo tljh-user-env switch conda --python 3.12")]
    Switch {
        /// The engine
        engine: Engine,
        /// Another Python, for conda
        #[arg(long, value_name = "VERSION", value_parser = python)]
        python: Option<String>,
        #[command(flatten)]
        manner: Manner,
    },
    /// What people are used to type of conda, in a conda environment that has none of its own
    #[command(hide = true)]
    Conda {
        #[command(subcommand)]
        command: CondaCommand,
    },
    /// List the packages, and what was changed by hand
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        form: Form,
    },
    /// Make a named environment, whose kernel everybody sees in JupyterLab
    #[command(after_long_help = "\
The environment is /opt/tljh/envs/NAME. Its kernel is started on trial before anybody gets it, and
appears in servers that run, too. `install --env NAME` and the like change its packages.

Without --python it has the system's Python, and what the kernel needs comes from this package,
without a network.

Examples:
  sudo tljh-user-env create stats --display-name 'Statistics 2' pymc arviz
  sudo tljh-user-env create old --python 3.12 'pandas<2'
  sudo tljh-user-env create maps --conda gdal geopandas
  sudo tljh-user-env create stats --again")]
    Create {
        /// Letters, digits, `.`, `_` and `-`
        name: EnvironmentName,
        /// What to install
        #[arg(value_name = "PACKAGE")]
        packages: Vec<Requirement>,
        /// With this version of Python, such as 3.12, which the machine or a conda channel has
        #[arg(long, value_name = "VERSION")]
        python: Option<Version>,
        /// Of conda's packages, with any Python that a channel has
        #[arg(long)]
        conda: bool,
        /// From this conda channel first, a name or a URL
        #[arg(short, long = "channel", value_name = "CHANNEL", requires = "conda")]
        channels: Vec<String>,
        /// What JupyterLab calls the kernel, if not by its name
        #[arg(long, value_name = "TEXT")]
        display_name: Option<Title>,
        /// Make one that is there anew with the packages that were asked for, such as after a change of the system's Python
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Take named environments and their kernels away
    #[command(after_long_help = "\
Kernels that run go on until they end.

Example:
  sudo tljh-user-env delete stats")]
    Delete {
        /// The names of environments
        #[arg(required = true, value_name = "NAME")]
        names: Vec<EnvironmentName>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
    /// List the named environments
    Envs {
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
The active one, the newest that is made from the bundle alone, one that stands in for a broken one,
and those of running servers and kernels stay.

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
    /// Tell which generation servers start from if the active one is broken
    #[command(after_long_help = "\
The hub runs this once a server ended at its start. The active generation is tried out; if no server
starts from it, the last good one is found, or made, and servers are started from that one until the
active one is mended.

Example:
  sudo tljh-user-env fallback")]
    Fallback {
        #[command(flatten)]
        form: Form,
    },
    /// Make the environment anew for the system's Python, if that has become another one
    #[command(after_long_help = "\
What came with tljh is made from its wheels; what was installed besides is fetched at the version
that it had, else a newer one. What could not be had is listed, and tried again by the next call.
So are named environments made anew that had the system's Python, but none that was made for another.

Example:
  sudo tljh-user-env upgrade-python")]
    UpgradePython {
        /// Only if the system's Python has changed; not for what is missing
        #[arg(long, hide = true, conflicts_with = "dry_run")]
        if_changed: bool,
        /// Make it, tell what would change, and take it away again
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Make the environment from the wheels of this package, unless there is one, and bring what came with
    /// an earlier version of the package to this one's
    Ensure,
    /// Take the environment of upstream's TLJH over as the first generation; for tljh-hub
    #[command(hide = true)]
    TakeOver {
        /// Where its folder is kept
        kept: PathBuf,
    },
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

/// Where packages come from.
#[derive(Debug, Clone, Args)]
pub struct Source {
    /// From pip's index, also into a conda environment
    #[arg(long, conflicts_with = "channels")]
    pub pip: bool,
    /// From this conda channel first, a name or a URL
    #[arg(short, long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
}

/// What of conda's is understood, in its words.
#[derive(Debug, Subcommand)]
pub enum CondaCommand {
    /// Install packages
    Install {
        /// Packages
        #[arg(required = true)]
        packages: Vec<Requirement>,
        #[command(flatten)]
        options: CondaOptions,
    },
    /// Remove packages
    #[command(visible_alias = "uninstall")]
    Remove {
        /// Packages
        #[arg(required = true, value_parser = name)]
        packages: Vec<Requirement>,
        #[command(flatten)]
        options: CondaOptions,
    },
    /// Upgrade packages
    #[command(visible_alias = "upgrade")]
    Update {
        /// Packages
        #[arg(required_unless_present = "all", value_parser = name)]
        packages: Vec<Requirement>,
        /// All that were installed by name
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        options: CondaOptions,
    },
    /// List packages
    List {
        /// With the addresses and hashes of archives
        #[arg(long)]
        explicit: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Search for packages
    Search {
        /// A name
        pattern: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Environments
    Env {
        #[command(subcommand)]
        command: CondaEnvCommand,
    },
}

/// `conda env`.
#[derive(Debug, Subcommand)]
pub enum CondaEnvCommand {
    /// Print an environment.yml
    Export,
    /// Install what an environment.yml says
    Update {
        /// The file
        #[arg(short, long, default_value = "environment.yml")]
        file: PathBuf,
        #[command(flatten)]
        options: CondaOptions,
    },
}

/// Options of conda's.
#[derive(Debug, Clone, Args)]
pub struct CondaOptions {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be done and change nothing
    #[arg(short, long)]
    pub dry_run: bool,
    /// From this channel first
    #[arg(short, long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// The environment, of which there is one here
    #[arg(short, long, value_parser = ["base"])]
    pub name: Option<String>,
}

/// Which environment is meant.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// In the named environment, not in everybody's
    #[arg(long = "env", value_name = "NAME")]
    pub environment: Option<EnvironmentName>,
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

/// The version of a Python: `3` or `3.12`.
fn python(text: &str) -> Result<String, String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.starts_with('3') && text.split('.').count() <= 3 && text.split('.').all(is_number) {
        Ok(text.to_string())
    } else {
        Err(format!(
            "`{text}` is no version of Python 3, such as `3.12`"
        ))
    }
}
