//! `edit`, with scripts as editors and as admins.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::{Bench, fed, seen};

const TEXT: &str = "# head\nhttp:\n  port: 81 # p\n";

/// Runs `edit` with an editor whose shell commands find the copy in `$1`, and answers its questions.
fn edit(bench: &Bench, commands: &str, answers: &str) -> String {
    edit_with(bench, "edit", commands, answers)
}

fn edit_with(bench: &Bench, words: &str, commands: &str, answers: &str) -> String {
    let mut command = bench.command(words);
    command.env("EDITOR", editor(bench, "editor", commands));
    let path = bench.path().display().to_string();
    seen(&fed(&mut command, answers)).replace(&path, "FILE")
}

/// A shell reads the script, so that no other test's fork can keep it busy (ETXTBSY).
fn editor(bench: &Bench, name: &str, commands: &str) -> String {
    let path = bench.folder.path().join(name);
    fs::write(&path, format!("set -e\n{commands}\n")).unwrap();
    format!("sh '{}'", path.display())
}

/// Nothing but the configuration, its lock and the editor is left.
fn assert_clean(bench: &Bench) {
    assert_eq!(bench.names(), ["config.yaml", "config.yaml.lock", "editor"]);
}

#[test]
fn a_checked_edit_is_shown_and_written_after_a_yes() {
    let bench = Bench::with(TEXT);
    fs::set_permissions(bench.path(), Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        edit(&bench, "sed -i s/81/82/ \"$1\"", "y\n"),
        "exit 0\n--- out\n--- FILE\n+++ FILE (new)\n@@ -1,3 +1,3 @@\n # head\n http:\n-  port: 81 # p\n+  port: 82 # p\n\
         --- err\nwrite it: (y)es, (e)dit again, (d)iscard, (k)eep a draft? `FILE` is written\n\
         hint: to apply the change, run `sudo tljh-config reload proxy`\n"
    );
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
    let mode = fs::metadata(bench.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_clean(&bench);
}

#[test]
fn mistakes_are_shown_at_their_lines_and_can_be_corrected() {
    let bench = Bench::with(TEXT);
    // The first time it makes two mistakes, then it corrects them.
    let commands = "if grep -q 99999 \"$1\"; then sed -i 's/99999/82/; /limts/d' \"$1\"\n\
                    else sed -i 's/81/99999/' \"$1\"; echo 'limts: {}' >> \"$1\"; fi";
    let seen = edit(&bench, commands, "what?\nEdit\ny\n");
    assert!(
        seen.contains(
            "error: `http.port` is `99999`, wanted a port from 1 to 65535\n --> FILE:3:9\n"
        ),
        "{seen}"
    );
    assert!(
        seen.contains("error: unknown key `limts`\n --> FILE:4:1\n")
            && seen.contains("hint: did you mean `limits`?"),
        "{seen}"
    );
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
    assert_clean(&bench);
}

#[test]
fn a_text_that_is_no_yaml_is_never_written() {
    let bench = Bench::with(TEXT);
    for words in ["edit", "--no-validate edit"] {
        let seen = edit_with(&bench, words, "echo 'users: [' >> \"$1\"", "y\nd\n");
        assert!(
            seen.starts_with("exit 1\n") && (seen.contains("FILE:") || seen.contains("line ")),
            "{seen}"
        );
        let seen = edit_with(&bench, words, "printf '\\377\\n' >> \"$1\"", "d\n");
        assert!(seen.starts_with("exit 1\n"), "{seen}");
    }
    assert_eq!(bench.text(), TEXT);
    let seen = edit_with(
        &bench,
        "--no-validate edit",
        "echo 'plugin: 1' >> \"$1\"",
        "y\n",
    );
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_clean(&bench);
}

#[test]
fn a_discarded_edit_leaves_the_file_and_fails() {
    let bench = Bench::with(TEXT);
    for (commands, answers) in [
        ("sed -i s/81/82/ \"$1\"", "d\n"),
        ("sed -i s/81/82/ \"$1\"", "n\n"),
        ("sed -i s/81/82/ \"$1\"", ""),
        ("sed -i s/81/0/ \"$1\"", "d\n"),
        ("sed -i s/81/0/ \"$1\"", ""),
    ] {
        let seen = edit(&bench, commands, answers);
        assert!(
            seen.starts_with("exit 1\n")
                && seen.ends_with("error: discarded; `FILE` is unchanged\n"),
            "{answers:?}: {seen}"
        );
        assert_eq!(bench.text(), TEXT);
        assert_clean(&bench);
    }
}

#[test]
fn an_edit_that_changes_nothing_says_so() {
    let bench = Bench::with(TEXT);
    assert_eq!(
        edit(&bench, "true", ""),
        "exit 0\n--- out\n--- err\nnothing is changed\n"
    );
    assert_clean(&bench);
}

#[test]
fn an_editor_that_fails_or_is_missing_discards() {
    let bench = Bench::with(TEXT);
    let seen = edit(&bench, "sed -i s/81/82/ \"$1\"; exit 3", "y\n");
    assert!(
        seen.starts_with("exit 1\n")
            && seen.contains("ended with exit status: 3; the edit is discarded\n"),
        "{seen}"
    );
    assert_clean(&bench);
    for (value, words) in [
        (
            "/nowhere/vi -x",
            "error: could not start the editor `/nowhere/vi -x`; nothing is changed\n",
        ),
        ("vi 'x", "error: `EDITOR` is `vi 'x`, which is no command\n"),
    ] {
        let output = fed(bench.command("edit").env("EDITOR", value), "y\n");
        let seen = super::seen(&output);
        assert!(
            seen.starts_with("exit 1\n") && seen.contains(words),
            "{seen}"
        );
    }
    assert_eq!(bench.text(), TEXT);
    assert_clean(&bench);
}

#[test]
fn a_draft_is_kept_private_and_offered_by_the_next_edit() {
    let bench = Bench::with(TEXT);
    let draft = bench.folder.path().join("config.yaml.draft");
    let seen = edit(&bench, "sed -i s/81/99999/ \"$1\"; chmod 644 \"$1\"", "k\n");
    assert_eq!(
        seen.split("draft? ").nth(1).unwrap(),
        "error: not written; the draft is kept in `FILE.draft`\n\
         hint: to go on with it, run `tljh-config --config-path FILE edit`\n"
    );
    assert!(seen.starts_with("exit 1\n"), "{seen}");
    assert_eq!(bench.text(), TEXT);
    assert_eq!(
        fs::metadata(&draft).unwrap().permissions().mode() & 0o7777,
        0o600
    );

    let unasked = edit(&bench, "true", "");
    assert!(
        unasked.starts_with("exit 1\n") && draft.exists(),
        "{unasked}"
    );

    let seen = edit(&bench, "sed -i s/99999/82/ \"$1\"", "c\ny\n");
    assert!(
        seen.starts_with("exit 0\n")
            && seen.contains("`FILE.draft` holds a draft of an earlier edit"),
        "{seen}"
    );
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
    assert_clean(&bench);

    edit(&bench, "sed -i s/82/83/ \"$1\"", "k\n");
    let seen = edit(&bench, "sed -i s/82/84/ \"$1\"", "d\ny\n");
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(bench.text(), TEXT.replace("81", "84"));
    assert_clean(&bench);
}

#[test]
fn the_copy_is_private_and_others_can_read_the_file_but_not_change_it() {
    let bench = Bench::with(TEXT);
    let notes = bench.folder.path().join("notes");
    let commands = format!(
        "{{ stat -c %a \"$1\" \"$(dirname \"$1\")\"; {program} --config-path {path} get http.port\n\
         flock --nonblock {path}.lock true || echo locked; }} > {notes}",
        program = env!("CARGO_BIN_EXE_tljh-config"),
        path = bench.path().display(),
        notes = notes.display()
    );
    assert!(edit(&bench, &commands, "").starts_with("exit 0\n"));
    assert_eq!(
        fs::read_to_string(&notes).unwrap(),
        "600\n700\n81\nlocked\n"
    );
}

#[test]
fn the_editors_command_may_hold_words_and_the_files_name_is_no_command() {
    let bench = Bench::empty();
    let folder = bench.folder.path().join("a $(touch owned); 'b");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("config.yaml");
    fs::write(&path, TEXT).unwrap();
    let script = editor(
        &bench,
        "my editor",
        "test \"$1\" = 'two words'; sed -i s/81/82/ \"$2\"",
    );
    let mut command = Bench::program();
    command
        .args(["--config-path", path.to_str().unwrap(), "edit"])
        .env("VISUAL", format!("{script} 'two words'"))
        .env("EDITOR", "false")
        .env("SUDO_EDITOR", " ")
        .current_dir(bench.folder.path());
    let seen = seen(&fed(&mut command, "y\n"));
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(fs::read_to_string(&path).unwrap(), TEXT.replace("81", "82"));
    assert!(!bench.folder.path().join("owned").exists());
}

#[test]
fn ctrl_c_in_the_editor_is_the_editors() {
    let bench = Bench::with(TEXT);
    let seen = edit(
        &bench,
        "kill -INT $PPID; kill -QUIT $PPID; sleep 0.1; sed -i s/81/82/ \"$1\"",
        "y\n",
    );
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
}

#[test]
fn a_killed_edit_loses_nothing() {
    let bench = Bench::with(TEXT);
    let seen = edit(&bench, "sed -i s/81/82/ \"$1\"; kill -KILL $PPID", "y\n");
    assert!(seen.starts_with("exit signal\n"), "{seen}");
    assert_eq!(bench.text(), TEXT);
    let seen = edit(&bench, "true", "c\ny\n");
    assert!(seen.contains("holds a draft"), "{seen}");
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
    assert_clean(&bench);

    // Where nothing had been typed there is nothing to offer.
    edit(&bench, "kill -KILL $PPID", "");
    assert_eq!(
        edit(&bench, "true", ""),
        "exit 0\n--- out\n--- err\nnothing is changed\n"
    );
    assert_clean(&bench);
}

#[test]
fn ctrl_c_at_a_question_ends_the_edit_and_keeps_the_draft() {
    let bench = Bench::with(TEXT);
    let mut child = bench
        .command("edit")
        .env("EDITOR", editor(&bench, "editor", "sed -i s/81/82/ \"$1\""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The question comes after the difference.
    let mut out = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut [0; 40]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), None);
    assert_eq!(bench.text(), TEXT);
    assert!(edit(&bench, "true", "c\ny\n").starts_with("exit 0\n"));
    assert_eq!(bench.text(), TEXT.replace("81", "82"));
}

#[test]
fn a_broken_file_can_be_mended() {
    let bench = Bench::with("users: [\n");
    let seen = edit(&bench, "echo 'http: {port: 82}' > \"$1\"", "y\n");
    assert!(seen.contains("the file was no valid YAML before"), "{seen}");
    assert!(seen.starts_with("exit 0\n"), "{seen}");
    assert_eq!(bench.text(), "http: {port: 82}\n");
}

#[test]
fn secrets_are_not_in_the_difference() {
    let bench = Bench::with("auth: {DummyAuthenticator: {password: hunter2}}\nhttp: {port: 81}\n");
    let seen = edit(
        &bench,
        "sed -i 's/hunter2/hunter3/; s/81/82/' \"$1\"",
        "y\n",
    );
    assert!(
        seen.contains("+http: {port: 82}\n") && !seen.contains("hunter"),
        "{seen}"
    );
    assert!(bench.text().contains("hunter3"));
}

#[test]
fn a_dry_run_of_an_edit_shows_the_difference_only() {
    let bench = Bench::with(TEXT);
    let seen = edit_with(&bench, "--dry-run edit", "sed -i s/81/82/ \"$1\"", "y\n");
    assert!(
        seen.starts_with("exit 0\n") && seen.contains("+  port: 82 # p\n"),
        "{seen}"
    );
    assert_eq!(bench.text(), TEXT);
    assert_clean(&bench);
}

#[test]
fn what_another_user_may_have_put_in_the_way_is_refused() {
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["config.yaml.edit", "config.yaml.draft"] {
        let bench = Bench::with(TEXT);
        std::os::unix::fs::symlink(elsewhere.path(), bench.folder.path().join(name)).unwrap();
        let seen = edit(&bench, "sed -i s/81/82/ \"$1\"", "y\ny\n");
        assert!(
            seen.starts_with("exit 1\n") && seen.contains("does not belong to this user alone"),
            "{seen}"
        );
        assert_eq!(bench.text(), TEXT);
    }
}
