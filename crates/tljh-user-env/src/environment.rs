//! The environment at `/opt/tljh/user`.
//!
//! A marker stands in it while it is being made and a stamp once it is complete, so that an interrupted
//! run is told from somebody else's folder, and both from an environment that administrators changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};
use tljh_machine::{CommandError, Invocation, Paths, Runner, files};

use crate::bundle::Bundle;
use crate::error::UserEnvError;

/// Members change the environment without sudo.
const ADMINS_GROUP: &str = "jupyterhub-admins";
const MARKER: &str = ".tljh-unfinished";
const STAMP: &str = ".tljh-environment.json";
const INSTALL_DEADLINE: Duration = Duration::from_secs(600);

/// The record of a complete environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// What made it; `venv`.
    pub engine: String,
    /// Version of its Python, such as `3.11.2`.
    pub python: String,
}

/// What stands at the environment's path.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// Made by an earlier run that did not finish.
    Interrupted,
    /// Made to the end.
    Complete(Stamp),
    /// Something that we did not make.
    Foreign,
}

/// The environment of an installation.
#[derive(Debug, Clone)]
pub struct Environment {
    path: PathBuf,
}

impl Environment {
    /// The environment below `paths`.
    pub fn new(paths: &Paths) -> Self {
        Self {
            path: paths.user_environment(),
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands there.
    ///
    /// # Errors
    /// The folder or its stamp cannot be read.
    pub fn state(&self) -> Result<State, UserEnvError> {
        if !self.path.exists() {
            return Ok(State::Absent);
        }
        if self.path.join(MARKER).exists() {
            return Ok(State::Interrupted);
        }
        let path = self.path.join(STAMP);
        if let Some(text) = files::read_optional(&path)? {
            let stamp = serde_json::from_str(&text)
                .map_err(|source| UserEnvError::Stamp { path, source })?;
            return Ok(State::Complete(stamp));
        }
        let empty = files::list_folder(&self.path)?.is_empty();
        Ok(if empty { State::Absent } else { State::Foreign })
    }

    /// Makes the environment from `bundle`, unless it is complete. Reaches no index.
    ///
    /// # Errors
    /// See [`UserEnvError`]; what is there is then either as before or marked as unfinished.
    pub fn ensure(&self, runner: &dyn Runner, bundle: &Bundle) -> Result<(), UserEnvError> {
        match self.state()? {
            State::Complete(stamp) => {
                log::debug!(
                    "`{}` is complete, Python {}",
                    self.path.display(),
                    stamp.python
                );
                return Ok(());
            }
            State::Foreign => {
                return Err(UserEnvError::Foreign {
                    path: self.path.clone(),
                });
            }
            State::Interrupted => {
                fs::remove_dir_all(&self.path).map_err(|source| UserEnvError::Unfinished {
                    path: self.path.clone(),
                    source,
                })?;
            }
            State::Absent => {}
        }
        files::ensure_folder(&self.path, 0o755)?;
        files::write_atomically(&self.path.join(MARKER), b"", 0o644)?;
        self.check_space(bundle)?;
        self.ensure_rights(runner)?;
        let python = self.build(runner, bundle)?;
        self.finish(&Stamp {
            engine: "venv".into(),
            python,
        })
    }

    /// What can wait until people see the login page: removes the unpacked wheels, and byte-compiles the
    /// environment, so that servers, which may not write here, start faster. Files that are no valid
    /// Python are left out.
    ///
    /// # Errors
    /// There is no complete environment, or Python did not run.
    pub fn compile(&self, runner: &dyn Runner) -> Result<(), UserEnvError> {
        let State::Complete(_) = self.state()? else {
            return Err(UserEnvError::Incomplete {
                path: self.path.clone(),
            });
        };
        let _ = fs::remove_dir_all(self.cache());
        let compile = Invocation::new(self.python())
            .args(["-m", "compileall", "-q", "-q", "-j", "0"])
            .arg(self.path.join("lib"))
            .deadline(INSTALL_DEADLINE);
        match runner.run(&compile) {
            // compileall's exit code for files with syntax errors, of which templates have some.
            Err(CommandError::Failed { code: Some(1), .. }) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    fn check_space(&self, bundle: &Bundle) -> Result<(), UserEnvError> {
        let failed = |errno: nix::Error| UserEnvError::FileSystem {
            path: self.path.clone(),
            source: errno.into(),
        };
        let file_system = nix::sys::statvfs::statvfs(&self.path).map_err(failed)?;
        let free = file_system.blocks_available() * file_system.fragment_size();
        let needed = bundle.installed_size()?;
        if free >= needed {
            return Ok(());
        }
        Err(UserEnvError::NoSpace {
            path: self.path.clone(),
            needed: needed.div_ceil(1_000_000),
            free: free / 1_000_000,
        })
    }

    /// Everything that is made below inherits the group (setgid) and the right of its members to write
    /// (default ACL, whatever their umask).
    fn ensure_rights(&self, runner: &dyn Runner) -> Result<(), UserEnvError> {
        let Some(group) = users::get_group_by_name(ADMINS_GROUP) else {
            return Ok(());
        };
        files::ensure_owner(&self.path, Uid::from_raw(0), Gid::from_raw(group.gid()))?;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o2775)).map_err(|source| {
            UserEnvError::FileSystem {
                path: self.path.clone(),
                source,
            }
        })?;
        runner.run(
            &Invocation::new("setfacl")
                .args([
                    "--default",
                    "--modify",
                    "user::rwx,group::rwx,other::r-x",
                    "--",
                ])
                .arg(&self.path),
        )?;
        Ok(())
    }

    fn build(&self, runner: &dyn Runner, bundle: &Bundle) -> Result<String, UserEnvError> {
        let cache = self.cache();
        let uv = |arguments: &[&str]| {
            Invocation::new(bundle.uv())
                .args(arguments)
                .env("UV_CACHE_DIR", &cache)
                .env("UV_LINK_MODE", "hardlink")
                .env("UV_NO_CONFIG", "1")
                .env("UV_OFFLINE", "1")
                .env("UV_PYTHON_DOWNLOADS", "never")
                .deadline(INSTALL_DEADLINE)
        };
        runner.run(
            &uv(&[
                "venv",
                "--quiet",
                "--allow-existing",
                "--system-site-packages",
                "--python",
                "/usr/bin/python3",
            ])
            .arg(&self.path),
        )?;
        runner.run(
            &uv(&[
                "pip",
                "install",
                "--quiet",
                "--no-index",
                "--require-hashes",
                "--find-links",
            ])
            .arg(bundle.wheels())
            .arg("--python")
            .arg(self.python())
            .arg("--requirements")
            .arg(bundle.requirements()),
        )?;
        // What uv leaves for itself; its locks are writable by everybody.
        for leftover in [".lock", ".uv-cache/.lock", ".gitignore", "CACHEDIR.TAG"] {
            files::ensure_absent(&self.path.join(leftover))?;
        }
        self.ensure_user_site(runner)?;
        self.ensure_lab_defaults()?;
        let told = runner.run(
            &Invocation::new(self.python())
                .args(["-c", "import platform; print(platform.python_version())"]),
        )?;
        Ok(told.stdout.trim().to_string())
    }

    /// Where uv unpacks the wheels before it links their files into place.
    fn cache(&self) -> PathBuf {
        self.path.join(".uv-cache")
    }

    fn python(&self) -> PathBuf {
        self.path.join("bin/python")
    }

    /// People may `pip install --user`, and see nothing of the distribution's own Python packages.
    ///
    /// Python ties the two together (`include-system-site-packages` of pyvenv.cfg); emptying
    /// `site.PREFIXES` while the environment's own folder is read leaves only the user's
    /// (`site.venv` in Lib/site.py).
    fn ensure_user_site(&self, runner: &dyn Runner) -> Result<(), UserEnvError> {
        let asked = Invocation::new(self.python()).args([
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'))",
        ]);
        let site = PathBuf::from(runner.run(&asked)?.stdout.trim());
        files::write_atomically(
            &site.join("tljh-user-site.pth"),
            b"import site; site.PREFIXES.clear()\n",
            0o644,
        )?;
        Ok(())
    }

    /// JupyterLab asks every person whether to fetch news from elsewhere; a class has no use for it.
    fn ensure_lab_defaults(&self) -> Result<(), UserEnvError> {
        let folder = self.path.join("share/jupyter/lab/settings");
        fs::create_dir_all(&folder).map_err(|source| UserEnvError::FileSystem {
            path: folder.clone(),
            source,
        })?;
        let defaults = r#"{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}"#;
        Ok(files::write_atomically(
            &folder.join("overrides.json"),
            format!("{defaults}\n").as_bytes(),
            0o664,
        )?)
    }

    /// The stamp comes after everything else is on disk.
    fn finish(&self, stamp: &Stamp) -> Result<(), UserEnvError> {
        let failed = |source| UserEnvError::FileSystem {
            path: self.path.clone(),
            source,
        };
        let folder = fs::File::open(&self.path).map_err(failed)?;
        nix::unistd::syncfs(&folder).map_err(|errno| failed(errno.into()))?;
        let path = self.path.join(STAMP);
        let text = serde_json::to_string(stamp).map_err(|source| UserEnvError::Stamp {
            path: path.clone(),
            source,
        })?;
        files::write_atomically(&path, format!("{text}\n").as_bytes(), 0o644)?;
        Ok(files::ensure_absent(&self.path.join(MARKER))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment::new(&Paths::under(root.path()));
        (root, environment)
    }

    #[test]
    fn somebody_elses_folder_is_refused_and_left_alone() {
        let (_root, environment) = environment();
        fs::create_dir_all(environment.path()).unwrap();
        fs::write(environment.path().join("mine"), "x").unwrap();
        assert_eq!(environment.state().unwrap(), State::Foreign);
        let refused = environment.ensure(&tljh_machine::Recorder::default(), &Bundle::installed());
        assert!(matches!(refused, Err(UserEnvError::Foreign { .. })));
        assert!(environment.path().join("mine").exists());
    }

    #[test]
    fn an_interrupted_run_is_told_from_a_complete_one() {
        let (_root, environment) = environment();
        assert_eq!(environment.state().unwrap(), State::Absent);
        fs::create_dir_all(environment.path()).unwrap();
        fs::write(environment.path().join(MARKER), "").unwrap();
        assert_eq!(environment.state().unwrap(), State::Interrupted);
        let stamp = Stamp {
            engine: "venv".into(),
            python: "3.13.5".into(),
        };
        environment.finish(&stamp).unwrap();
        assert_eq!(environment.state().unwrap(), State::Complete(stamp));
    }
}
