//! A named environment is tried out: its kernel has to start and to run code, without root's rights.

use std::path::Path;
use std::time::Duration;

use tljh_machine::{CommandError, Runner as _, SystemRunner, files};

use super::{Visitor, telling};
use crate::error::UserEnvError;
use crate::named::kernel;

/// More than the trial itself waits for anything.
const DEADLINE: Duration = Duration::from_secs(240);
const TRIAL: &str = include_str!("../../python/try_kernel.py");

/// Tries out the environment in `folder`, which everybody is to know as `link`: the kernel that it brings is started as JupyterLab starts it, answers and
/// runs code.
///
/// # Errors
/// It does not, with the end of what it printed.
pub fn verify_kernel(folder: &Path, link: &Path) -> Result<(), UserEnvError> {
    let failed = |source| UserEnvError::Trial { source };
    let home = tempfile::Builder::new()
        .prefix("tljh-trial-")
        .tempdir()
        .map_err(failed)?;
    let kernels = home.path().join("kernels");
    files::ensure_folder(&kernels.join("trial"), 0o755)?;
    let mut spec = kernel::read_trial(folder, link)?;
    // It ends with the one that tries it out, however that ends.
    spec.run_with(&["setpriv", "--pdeathsig=KILL", "--"]);
    files::write_atomically(
        &kernels.join("trial/kernel.json"),
        spec.render().as_bytes(),
        0o644,
    )?;
    // Jupyter's client comes with every kernel of Python.
    let visitor = Visitor::new(folder, home.path())?;
    let folder_of_kernels = kernels.display().to_string();
    let trial = visitor
        .python(&["-c", TRIAL, &folder_of_kernels], &[])
        .deadline(DEADLINE);
    let (what, log) = match SystemRunner.run(&trial) {
        Ok(_) => return Ok(()),
        Err(CommandError::Failed { message, .. }) => {
            ("its kernel does not start".into(), telling(&message))
        }
        Err(CommandError::Deadline { seconds, .. }) => (
            format!("its kernel does not answer within {seconds} s"),
            String::new(),
        ),
        Err(error) => return Err(error.into()),
    };
    Err(UserEnvError::Broken { what, log })
}
