//! Programs of a generation that is not the active one. All generations' programs name the Python behind the link.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tljh_machine::files;

use crate::error::UserEnvError;

/// Fills `folder` with the programs of `environment` that run on the Python behind `link`, changed to run on its own.
///
/// # Errors
/// One cannot be written.
pub fn ensure(environment: &Path, link: &Path, folder: &Path) -> Result<(), UserEnvError> {
    files::ensure_tree_absent(folder)?;
    files::ensure_folder(folder, 0o755)?;
    let known = format!("#!{}/bin/python", link.display());
    let own = format!("#!{}/bin/python", environment.display());
    for path in files::list_folder(&environment.join("bin"))? {
        let is_program = fs::symlink_metadata(&path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
        if !is_program {
            continue;
        }
        // Others are no text.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if let Some(rest) = text.strip_prefix(&known)
            && let Some(name) = path.file_name()
        {
            files::write_atomically(&folder.join(name), format!("{own}{rest}").as_bytes(), 0o755)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_run_on_the_python_of_their_own_generation() {
        let root = tempfile::tempdir().unwrap();
        let (environment, folder) = (root.path().join("generations/2"), root.path().join("bin"));
        let link = root.path().join("user");
        fs::create_dir_all(environment.join("bin")).unwrap();
        let write = |name: &str, text: &[u8], mode| {
            files::write_atomically(&environment.join("bin").join(name), text, mode).unwrap();
        };
        let line = format!("#!{}/bin/python3\nimport a\n", link.display());
        write("a", line.as_bytes(), 0o755);
        write("activate", line.as_bytes(), 0o644);
        write("other", b"#!/bin/sh\n", 0o755);
        write("compiled", b"\x7fELF\xff", 0o755);
        ensure(&environment, &link, &folder).unwrap();
        let names = files::list_folder(&folder).unwrap();
        assert_eq!(names, [folder.join("a")]);
        assert_eq!(
            fs::read_to_string(&names[0]).unwrap(),
            format!("#!{}/bin/python3\nimport a\n", environment.display())
        );
    }
}
