//! `reload`, up to the point where systemd is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Bench, seen};

/// A folder for `PATH` whose systemctl notes that it was called and fails, and whose journalctl has a line,
/// and a tljh-hub whose Python finds nothing wrong.
fn failing_systemd(bench: &Bench) -> String {
    let folder = bench.folder.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let note = bench.folder.path().join("asked");
    let scripts = [
        (
            "systemctl",
            format!(
                "#!/bin/sh\necho \"$*\" >> {}\ncase $1 in reload-or-restart) echo 'Unit is masked.' >&2; exit 1;; esac\n",
                note.display()
            ),
        ),
        (
            "journalctl",
            "#!/bin/sh\necho 'the last line of the log'\n".to_string(),
        ),
        ("tljh-hub", "#!/bin/sh\necho '[]'\n".to_string()),
    ];
    for (name, text) in scripts {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:/usr/bin:/bin", folder.display())
}

fn reload(bench: &Bench, words: &str) -> (String, Option<String>) {
    let path = failing_systemd(bench);
    let output = bench.command(words).env("PATH", path).output().unwrap();
    let seen = seen(&output).replace(&bench.path().display().to_string(), "FILE");
    (
        seen,
        fs::read_to_string(bench.folder.path().join("asked")).ok(),
    )
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_is_restarted() {
    for words in ["reload", "reload hub", "reload proxy"] {
        let (seen, asked) = reload(&Bench::with("http: {port: 0}\n"), words);
        assert_eq!(
            seen,
            "exit 1\n--- out\n--- err\nerror: `FILE` has 1 error\n\
             error: `http.port` is `0`, wanted a port from 1 to 65535\n --> FILE:1:14\n  |\n1 | http: {port: 0}\n  |              ^\n\
             hint: correct the file: `tljh-config --config-path FILE edit`\n"
        );
        assert_eq!(asked, None);
    }
}

#[test]
fn a_unit_that_does_not_restart_is_told_with_the_end_of_its_log() {
    if users::get_effective_uid() != 0 {
        return;
    }
    for (words, unit) in [
        ("reload", "jupyterhub.service"),
        ("reload proxy", "tljh-proxy.service"),
    ] {
        let (seen, asked) = reload(&Bench::with("plugin: {a: 1}\n"), words);
        assert_eq!(
            seen,
            format!(
                "exit 1\n--- out\n--- err\nwarn: unknown key `plugin`; only a plugin can use it\n\
                 the hub's Python loads the configuration ...\n\
                 reloading `{unit}` and waiting until it answers\n\
                 error: could not reload `{unit}`; the end of its log:\n  the last line of the log\n\
                 caused by: `systemctl reload-or-restart -- {unit}` failed with exit code 1: Unit is masked.\n\
                 hint: see its whole log: `sudo journalctl -u {unit}`\n"
            )
        );
        assert_eq!(
            asked.unwrap(),
            format!("reset-failed -- {unit}\nreload-or-restart -- {unit}\n")
        );
    }
}
