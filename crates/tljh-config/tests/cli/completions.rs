//! Completions in real shells; zsh and fish where they are installed.

use std::fs;
use std::process::Command;

use super::Bench;

/// A folder with the completions, and the program's own folder first in `PATH`.
struct Shell {
    bench: Bench,
    path: String,
}

impl Shell {
    fn new() -> Self {
        let bench = Bench::with("users: {allowed: [ada, bob]}\nplugin: {key: 1}\n");
        let docs = bench.folder.path().join("docs");
        let rendered = Bench::program().arg("render-docs").arg(docs).status();
        assert!(rendered.unwrap().success());
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_tljh-config"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        Self { bench, path }
    }

    fn run(&self, shell: &str, arguments: &[&str], script: &str) -> Option<Vec<String>> {
        let output = Command::new(shell)
            .args(arguments)
            .arg(script)
            .current_dir(self.bench.folder.path())
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.bench.folder.path())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        Some(text.lines().map(str::to_string).collect())
    }

    /// What bash offers at the end of `words`.
    fn bash(&self, words: &[&str]) -> Vec<String> {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "source docs/completions/bash/tljh-config\nset -- {}\nCOMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMP_TYPE=9\n\
             spec=$(complete -p tljh-config); spec=${{spec##*-F }}; ${{spec%% *}} tljh-config \"${{!#}}\" x\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" ")
        );
        let offered = self.run("bash", &["--norc", "-c"], &script).unwrap();
        // Flags come after the values.
        offered
            .into_iter()
            .filter(|word| !word.starts_with('-') && !word.is_empty())
            .collect()
    }
}

#[test]
fn bash_completes_keys_values_and_items() {
    let shell = Shell::new();
    let on_file = |words: &[&str]| {
        let start = ["tljh-config", "--config-path", "config.yaml"];
        shell.bash(&[&start, words].concat())
    };
    assert_eq!(
        shell.bash(&["tljh-config", "set", "limits."]),
        ["limits.memory", "limits.cpu"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "set", "https.enabled", ""]),
        ["true", "false"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "set", "user_environment.default_app", ""]),
        ["jupyterlab", "classic"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "set", "auth.type", "native"]),
        ["nativeauthenticator.NativeAuthenticator"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "add-item", "users."]),
        ["users.allowed", "users.banned", "users.admin"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "get", "services.cull.e"]),
        ["services.cull.enabled", "services.cull.every"]
    );
    assert_eq!(shell.bash(&["tljh-config", "reload", ""]), ["hub", "proxy"]);
    assert_eq!(shell.bash(&["tljh-config", "ed"]), ["edit"]);
    assert_eq!(
        shell.bash(&["tljh-config", "example", ""]),
        ["nginx", "apache"]
    );
    assert_eq!(
        shell.bash(&["tljh-config", "add-item", "http."]),
        ["http.trusted_proxies"]
    );
    assert_eq!(
        on_file(&["remove-item", "users.allowed", ""]),
        ["ada", "bob"]
    );
    assert_eq!(
        on_file(&["remove-item", "users.allowed", "ada", ""]),
        ["bob"]
    );
    assert_eq!(on_file(&["unset", ""]), ["users.allowed", "plugin.key"]);
}

#[test]
fn a_completion_neither_waits_nor_fails_where_the_file_cannot_be_read() {
    let shell = Shell::new();
    let made = Command::new("mkfifo")
        .arg(shell.bench.folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    fs::write(shell.bench.folder.path().join("broken"), "users: [").unwrap();
    for file in ["pipe", "broken", "missing", ".", "/dev/zero"] {
        let words = [
            "tljh-config",
            "--config-path",
            file,
            "remove-item",
            "users.allowed",
            "",
        ];
        assert!(shell.bash(&words).is_empty(), "{file}");
        let words = ["tljh-config", "--config-path", file, "unset", "limits."];
        assert_eq!(
            shell.bash(&words),
            ["limits.memory", "limits.cpu"],
            "{file}"
        );
    }
}

#[test]
fn fish_completes_keys_with_their_descriptions() {
    let script =
        "source docs/completions/fish/tljh-config.fish; complete -C 'tljh-config set limits.'";
    let Some(offered) = Shell::new().run("fish", &["--no-config", "-c"], script) else {
        return;
    };
    assert_eq!(
        offered,
        [
            "limits.memory\tMemory limit of each user's server",
            "limits.cpu\tLimit of processor cores of each user's server"
        ]
    );
}

#[test]
fn zsh_completes_at_the_first_tab() {
    // The loader's own calls, with what it would show printed instead.
    let script = "fpath=($PWD/docs/completions/zsh $fpath)\n\
                  compdef() { : }\n_describe() { local name=$argv[-1]; print -rl -- ${(P)name} }\n\
                  autoload -Uz _tljh-config\nwords=(tljh-config set limits.) CURRENT=3\n_tljh-config";
    let Some(offered) = Shell::new().run("zsh", &["-f", "-c"], script) else {
        return;
    };
    assert_eq!(
        offered,
        [
            "limits.memory:Memory limit of each user's server",
            "limits.cpu:Limit of processor cores of each user's server"
        ]
    );
}
