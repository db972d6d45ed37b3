//! The files of an own certificate that root alone can read: systemd watches them, and has the proxy take up what is new.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::settings::OwnCertificate;

/// What systemd watches the files with. It starts the service of the same name, which runs
/// `tljh-proxy reload-certificate`.
const UNIT: &str = "tljh-proxy-certificate.path";
/// It goes with the proxy, and comes again with its next start.
const OWNER: &str = "PartOf=tljh-proxy.service";

/// Has systemd watch the files of `own` where the serving process cannot look at them, and nothing else.
///
/// # Errors
/// systemd does not do so.
pub fn ensure_watched(own: Option<&OwnCertificate>) -> io::Result<()> {
    let files = own.map_or(Vec::new(), |own| vec![&*own.cert_file, &*own.key_file]);
    let wanted = if files.iter().all(|file| is_public(file)) {
        Vec::new()
    } else {
        files
    };
    // One line or word for each path, as in `/etc/ssl/hub.pem (PathChanged)`.
    let watched = run("systemctl", &["show", "--property=Paths", "--value", UNIT])?;
    let is_watched = |file: &&Path| watched.contains(&format!("{} (PathChanged)", file.display()));
    let count = watched.matches("(PathChanged)").count();
    if count == wanted.len() && wanted.iter().all(is_watched) {
        return Ok(());
    }
    // What systemd made for us it forgets when it stops; what it has forgotten cannot be stopped.
    if count > 0 {
        run("systemctl", &["stop", UNIT])?;
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let owner = format!("--path-property={OWNER}");
    let paths = wanted
        .iter()
        .map(|file| format!("--path-property=PathChanged={}", escape(file)));
    let options: Vec<String> = ["--quiet".into(), format!("--unit={UNIT}"), owner]
        .into_iter()
        .chain(paths)
        .collect();
    run("systemd-run", &options).map(drop)
}

/// Whether everybody can read a file, and so the proxy's user too. Rights that this does not see cost nothing: the file
/// is watched twice then.
fn is_public(file: &Path) -> bool {
    let allows = |path: &Path, right: u32| {
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & right == right)
    };
    let Ok(file) = file.canonicalize() else {
        return false;
    };
    allows(&file, 0o004) && file.ancestors().skip(1).all(|folder| allows(folder, 0o001))
}

/// systemd replaces what follows a per cent sign in a path (systemd.unit(5), "Specifiers").
fn escape(file: &Path) -> String {
    file.display().to_string().replace('%', "%%")
}

/// What a program of the system prints.
///
/// # Errors
/// It cannot be started, or ends with another code than 0; what it says on standard error is in the error.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> io::Result<String> {
    let done = Command::new(program).args(arguments).output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("`{program}`: {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_public_if_its_folders_are_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        fs::write(&file, "").unwrap();
        for (of_folder, of_file, expected) in [
            (0o755, 0o644, true),
            (0o755, 0o640, false),
            (0o700, 0o644, false),
        ] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(of_folder)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(of_file)).unwrap();
            assert_eq!(is_public(&file), expected, "{of_folder:o} {of_file:o}");
        }
        assert!(!is_public(&folder.path().join("absent")));
    }
}
