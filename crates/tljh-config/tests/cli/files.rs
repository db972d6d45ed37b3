//! The file: whole at every moment, and its owner's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Bench, seen};

/// A user that owns nothing, for tests that run as root.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    users::get_effective_uid() == 0
}

#[test]
fn fifty_edits_at_once_lose_nothing_and_readers_never_see_a_part() {
    let bench = Bench::with("# head\nusers:\n  allowed:\n    - first # one\n");
    let path = bench.path();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    text.starts_with("# head\nusers:\n  allowed:\n    - first # one\n")
                        && text.ends_with('\n')
                );
                assert!(text.lines().count() >= most, "an edit was lost");
                most = text.lines().count();
            }
        });
        let editors: Vec<_> = (0..50)
            .map(|number| {
                bench
                    .command(&format!("-q add-item users.allowed user{number}"))
                    .spawn()
                    .unwrap()
            })
            .collect();
        let codes: Vec<_> = editors
            .into_iter()
            .map(|mut editor| editor.wait().unwrap().code())
            .collect();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
    });
    let text = bench.text();
    assert!(
        (0..50).all(|number| text.contains(&format!("    - user{number}\n"))),
        "{text}"
    );
    assert_eq!(bench.names(), ["config.yaml", "config.yaml.lock"]);
}

#[test]
fn a_disk_that_takes_no_more_leaves_the_file_whole() {
    let text = "users: {admin: [ada]}\n";
    let bench = Bench::with(text);
    let program = format!(
        "trap '' XFSZ; ulimit -f 0; exec {} --config-path {} set limits.memory 2G",
        env!("CARGO_BIN_EXE_tljh-config"),
        bench.path().display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &program])
        .output()
        .unwrap();
    let seen = seen(&output).replace(&bench.path().display().to_string(), "FILE");
    assert!(
        seen.starts_with(
            "exit 1\n--- out\n--- err\nerror: could not write `FILE`; it is unchanged\n"
        ),
        "{seen}"
    );
    assert_eq!(bench.text(), text);
    assert_eq!(bench.names(), ["config.yaml", "config.yaml.lock"]);
}

#[test]
fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    let mode = |bench: &Bench| fs::metadata(bench.path()).unwrap().permissions().mode() & 0o7777;
    let new = Bench::empty();
    new.edited("set http.port 81");
    assert_eq!(mode(&new), 0o600);
    let old = Bench::with("a: 1\n");
    fs::set_permissions(old.path(), Permissions::from_mode(0o640)).unwrap();
    old.edited("set http.port 81");
    assert_eq!(mode(&old), 0o640);
}

#[test]
fn the_owner_of_the_file_stays_when_root_edits_it() {
    if !is_root() {
        return;
    }
    let bench = Bench::with("a: 1\n");
    std::os::unix::fs::chown(bench.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    bench.edited("set http.port 81");
    let metadata = fs::metadata(bench.path()).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&metadata), NOBODY);
}

#[test]
fn without_root_the_installed_configuration_is_refused_in_two_lines() {
    for words in [
        "show",
        "show --effective --redact",
        "get http.port",
        "set http.port 81",
        "set --stdin http.port",
        "--dry-run set http.port 81",
        "unset http",
        "add-item users.admin ada bob",
        "remove-item users.admin ada",
        "apply -f /nowhere",
        "edit",
        "reload",
        "reload proxy",
    ] {
        let mut command = Bench::program();
        command.args(words.split(' '));
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        assert_eq!(
            seen(&command.output().unwrap()),
            "exit 1\n--- out\n--- err\nerror: tljh-config needs root privileges to run\n\
             hint: try using sudo before the tljh-config command you wanted to run\n",
            "{words}"
        );
    }
}

#[test]
fn a_file_of_ones_own_needs_no_root_and_a_foreign_one_says_what_to_do() {
    let bench = Bench::with("http: {port: 81}\n");
    if !is_root() {
        bench.edited("set http.port 82");
        return;
    }
    let run = |words: &str| {
        seen(
            &bench
                .command(words)
                .uid(NOBODY)
                .gid(NOBODY)
                .output()
                .unwrap(),
        )
    };
    fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let refused = run("set http.port 82");
    assert!(
        refused.starts_with("exit 1\n--- out\n--- err\nerror: could not open the lock"),
        "{refused}"
    );
    assert!(
        refused.ends_with("hint: run the same command with `sudo` before it\n"),
        "{refused}"
    );
    std::os::unix::fs::chown(bench.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    std::os::unix::fs::chown(bench.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    assert!(run("set http.port 82").starts_with("exit 0\n"));
    assert_eq!(bench.text(), "http: {port: 82}\n");
}
