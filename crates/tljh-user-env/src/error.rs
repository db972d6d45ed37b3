//! What can go wrong, and the one command that helps.

use std::path::PathBuf;

use tljh_machine::CommandError;
use tljh_machine::files::FileError;
use tljh_terminal::{Hinted, RenderError};

use crate::named::{EnvironmentName, Version};

/// A failed operation of `tljh-user-env`.
#[derive(Debug, thiserror::Error)]
pub enum UserEnvError {
    /// Something that we did not make stands where the environment would be.
    #[error("`{}` is not empty and was not made by tljh-user-env", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// There is no complete environment.
    #[error("there is no complete user environment at `{}`", path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
    },
    /// The file system is too full to begin.
    #[error("the user environment needs {needed} MB in `{}`, and {free} MB are free", path.display())]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Megabytes needed.
        needed: u64,
        /// Megabytes free.
        free: u64,
    },
    /// The file system cannot be asked for its free space, or told to write.
    #[error("could not examine the file system of `{}`", path.display())]
    FileSystem {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An environment that was half made cannot be taken away.
    #[error("could not remove the unfinished environment `{}`", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record is not what we wrote.
    #[error("the record `{}` of the user environment is damaged", path.display())]
    Stamp {
        /// The record.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// An environment has no `lib/python3.*/site-packages`.
    #[error("the environment `{}` has no folder of packages", path.display())]
    NoPackages {
        /// The environment.
        path: PathBuf,
    },
    /// No generation of that number is ready.
    #[error("there is no generation {number}")]
    NoGeneration {
        /// The number that was asked for.
        number: u64,
    },
    /// The active generation is the oldest.
    #[error("there is no generation before the active one")]
    NothingEarlier,
    /// The lock cannot be used.
    #[error("could not lock `{}`", path.display())]
    Turn {
        /// The lock.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else changes the environment.
    #[error("the environment is being changed (`{}`): {holder}", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
        /// Who.
        holder: String,
    },
    /// Only root may do this.
    #[error("only root may change the environment that everybody uses")]
    NotRoot,
    /// Somebody pressed Ctrl-C, or the machine is going down.
    #[error("interrupted; the active environment is as it was")]
    Interrupted,
    /// The question was not answered with yes.
    #[error("nothing was changed")]
    NotAgreed,
    /// A package that is to be upgraded or removed is not there.
    #[error("`{name}` is not installed")]
    NotInstalled {
        /// The package.
        name: String,
    },
    /// A package that is to be removed is part of everybody's server, or of a kernel.
    #[error("`{name}` is what servers and kernels are made of, and cannot be removed")]
    Needed {
        /// The package.
        name: String,
    },
    /// No index or folder has the package.
    #[error("a package was not found: {message}")]
    UnknownPackage {
        /// uv's sentence.
        message: String,
    },
    /// No channel has the package.
    #[error("no channel has it: {message}")]
    NotInChannels {
        /// The sentence of `tljh-conda`.
        message: String,
        /// The packages.
        names: Vec<String>,
    },
    /// A channel is none, or damaged.
    #[error("a channel cannot be used: {message}")]
    Channel {
        /// The sentence of `tljh-conda`.
        message: String,
    },
    /// A file or a command is conda's, and the environment is not.
    #[error("{what} is for conda environments, and this is a virtual environment")]
    NotConda {
        /// The file or the command.
        what: String,
    },
    /// A virtual environment has no Python of its own.
    #[error("a virtual environment has the system's Python and no other")]
    SystemsPython,
    /// A file is no environment.yml, and no list of archives.
    #[error("`{}` cannot be read as conda's: {message}", path.display())]
    CondaFile {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        message: String,
    },
    /// A helper program answered something else than it should.
    #[error("`{}` gave an answer that cannot be read", program.display())]
    Answer {
        /// The program.
        program: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// The configuration cannot be read.
    #[error(transparent)]
    Settings(#[from] tljh_settings::SettingsError),
    /// No index has the package that was searched for.
    #[error("`{name}` was not found in the package index")]
    NotInIndex {
        /// The package.
        name: String,
        /// Names that are much like it.
        near: Vec<String>,
    },
    /// No versions fit together.
    #[error("no versions fit together: {message}")]
    Conflict {
        /// uv's sentence.
        message: String,
    },
    /// An index did not answer, or not to the end.
    #[error("the package index could not be reached: {message}")]
    Unreachable {
        /// uv's sentence.
        message: String,
    },
    /// A file is not the one whose hash was given.
    #[error("a downloaded file is not what it should be: {message}")]
    HashMismatch {
        /// uv's sentence.
        message: String,
    },
    /// The file system became full on the way.
    #[error("the disk became full: {message}")]
    DiskFull {
        /// The sentence of uv or of Python.
        message: String,
    },
    /// The environment's Python does not run.
    #[error("the environment's Python does not start: {message}")]
    NoPython {
        /// uv's sentence.
        message: String,
    },
    /// uv did not do it for another reason.
    #[error("the packages could not be installed: {message}")]
    Refused {
        /// uv's sentence.
        message: String,
    },
    /// Requirements of installed packages would no longer be met.
    #[error("this would break what is installed: {}", broken.join("; "))]
    WouldBreak {
        /// A sentence for each.
        broken: Vec<String>,
    },
    /// What is missing since a change of Python cannot be had now either.
    #[error("nothing of what is missing can be had")]
    NothingToComplete,
    /// JupyterHub cannot be brought to the version of the hub.
    #[error(
        "JupyterHub in the user environment cannot be brought to the hub's version: {conflict}"
    )]
    HubHeld {
        /// Who requires what.
        conflict: String,
    },
    /// A generation could not be tried out.
    #[error("the environment could not be tried out")]
    Trial {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A generation was tried out and failed.
    #[error("with this environment {what}:\n{log}")]
    Broken {
        /// In a few words.
        what: String,
        /// The end of what was printed.
        log: String,
    },
    /// There is no named environment of that name.
    #[error("there is no environment `{name}`")]
    NoEnvironment {
        /// The name that was asked for.
        name: EnvironmentName,
    },
    /// A named environment of that name is there, but for upper and lower case.
    #[error("there is an environment `{name}` already")]
    EnvironmentExists {
        /// What it is called.
        name: EnvironmentName,
    },
    /// Everybody has a kernel of that name.
    #[error("there is a kernel `{name}` already, in everybody's environment")]
    KernelExists {
        /// The name that was asked for.
        name: EnvironmentName,
    },
    /// Something that we did not make stands where a named environment would be.
    #[error("`{}` was not made by tljh-user-env", path.display())]
    PathTaken {
        /// The path.
        path: PathBuf,
    },
    /// An environment has nothing that Jupyter could start.
    #[error("the environment `{}` brings no kernel", path.display())]
    NoKernel {
        /// The environment.
        path: PathBuf,
    },
    /// The machine has no such Python.
    #[error("this machine has no Python {version}")]
    NoInterpreter {
        /// The version that was asked for.
        version: Version,
        /// For the environment of that name.
        name: EnvironmentName,
    },
    /// `check` found something; it was printed.
    #[error("the environment is damaged")]
    Unhealthy,
    /// uv, Python or setfacl failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Manual pages cannot be written.
    #[error(transparent)]
    Docs(#[from] RenderError),
    /// Standard input cannot be read.
    #[error("could not read the answer")]
    Input(#[source] std::io::Error),
    /// Standard output is closed.
    #[error("could not print")]
    Print(#[source] std::io::Error),
}

impl Hinted for UserEnvError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Foreign { path } => {
                return Some(format!(
                    "run `sudo mv {0} {0}.old && sudo tljh-user-env ensure`",
                    path.display()
                ));
            }
            Self::Stamp { path, .. } => {
                return Some(format!(
                    "run `sudo rm {}` and `sudo tljh-user-env ensure`",
                    path.display()
                ));
            }
            Self::NotInIndex { near, .. } if !near.is_empty() => {
                return Some(format!(
                    "did you mean `{}`? Try `tljh-user-env search {}`",
                    near.join("` or `"),
                    near[0]
                ));
            }
            Self::File(error) => return error.hint(),
            Self::EnvironmentExists { name } => {
                return Some(format!(
                    "`sudo tljh-user-env install --env {name} PACKAGE` adds packages to it"
                ));
            }
            Self::NoInterpreter { version, name } => {
                return Some(format!(
                    "`sudo tljh-user-env create {name} --conda --python {version}` takes it from conda-forge"
                ));
            }
            Self::NoSpace { .. } | Self::DiskFull { .. } => {
                "free some space (`df -h` shows where; `sudo tljh-user-env prune` removes old generations), then run the same command again"
            }
            Self::Incomplete { .. } => "run `sudo tljh-user-env ensure`",
            Self::NoPackages { .. } | Self::NoPython { .. } | Self::Unhealthy => {
                "run `sudo tljh-user-env repair`"
            }
            Self::NoGeneration { .. } | Self::NothingEarlier => {
                "`tljh-user-env history` lists the generations"
            }
            Self::Interrupted => "run the same command again when it suits",
            Self::NoEnvironment { .. } => "`tljh-user-env envs` lists them",
            Self::KernelExists { .. } | Self::PathTaken { .. } => "choose another name",
            Self::NotRoot => "run the same command with `sudo`",
            Self::NotInstalled { .. } => "`tljh-user-env list` shows what is installed",
            Self::NotInIndex { .. } => "check the spelling at https://pypi.org",
            Self::UnknownPackage { .. } => {
                "check the spelling at https://pypi.org; nothing was changed"
            }
            Self::NotInChannels { .. } => {
                "`tljh-user-env search NAME` shows what the channels have; `tljh-user-env install --pip NAME` takes a \
                 package from pip's index; nothing was changed"
            }
            Self::Channel { .. } => {
                "`tljh-config show user_environment.channels` shows the channels; nothing was changed"
            }
            Self::SystemsPython => "`sudo tljh-user-env switch conda --python VERSION` has its own",
            Self::NotConda { .. } => {
                "`sudo tljh-user-env switch conda` makes a conda environment of it"
            }
            Self::Answer { .. } => "run `sudo apt install --reinstall tljh-user-env`",
            Self::Settings(_) => "run `sudo tljh-config check`",
            Self::Conflict { .. } => {
                "ask for other versions, such as `tljh-user-env install 'NAME<2'`; nothing was changed"
            }
            Self::Unreachable { .. } => {
                "check the network (`curl -I https://pypi.org`), then run the same command again; nothing was changed"
            }
            Self::HashMismatch { .. } => {
                "do not use this file; ask who runs the index or wrote the hash; nothing was changed"
            }
            Self::HubHeld { .. } => {
                "install a version that fits, or remove that package, then run `sudo tljh-user-env upgrade --defaults`"
            }
            Self::WouldBreak { .. } => {
                "name versions that fit, or the packages that should move along; nothing was changed"
            }
            Self::Broken { .. } => {
                "the active environment is as it was; ask for other versions of the packages"
            }
            Self::Command(_) => "run `sudo tljh-user-env ensure` again once that is mended",
            _ => return None,
        };
        Some(hint.into())
    }
}
