//! What the shells offer after a TAB: keys, values and items.
//!
//! Nothing here needs root. The file is looked at only where it can be read by the user at once, so that a
//! completion neither fails nor waits.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap_complete::CompletionCandidate;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use serde_json::Value;
use tljh_settings::edit::Document;
use tljh_settings::{KEYS, Kind, Lookup, lookup};

use crate::error::Error;

/// The variable by which a shell asks for candidates; nobody else sets it.
pub const VARIABLE: &str = "_TLJH_CONFIG_COMPLETE";
const PROGRAM: &str = "tljh-config";
/// More than a configuration with 10,000 users; beyond it the file is not looked at.
const LARGEST_FILE: u64 = 4 << 20;
/// Authenticators that the hub's environment brings.
const AUTHENTICATORS: &[&str] = &[
    "dummy",
    "firstuseauthenticator.FirstUseAuthenticator",
    "ldapauthenticator.LDAPAuthenticator",
    "nativeauthenticator.NativeAuthenticator",
    "oauthenticator.generic.GenericOAuthenticator",
    "oauthenticator.github.GitHubOAuthenticator",
    "oauthenticator.gitlab.GitLabOAuthenticator",
    "oauthenticator.google.GoogleOAuthenticator",
    "pam",
    "tmpauthenticator.TmpAuthenticator",
];

/// Writes the shells' scripts to `FOLDER/{bash,zsh,fish}/`, over those without values.
///
/// # Errors
/// The first file that could not be written.
pub fn write_scripts(folder: &Path) -> Result<(), Error> {
    let scripts: [(&dyn EnvCompleter, &str, &str); 3] = [
        (&Bash, "bash/tljh-config", ""),
        // zsh runs the file as the completion itself when the first TAB loads it.
        (
            &Zsh,
            "zsh/_tljh-config",
            "\nif [[ $funcstack[1] == _tljh-config ]]; then\n    _clap_dynamic_completer_tljh_config \"$@\"\nfi\n",
        ),
        (&Fish, "fish/tljh-config.fish", ""),
    ];
    for (shell, name, ending) in scripts {
        let path = folder.join(name);
        let mut text = Vec::new();
        shell
            .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut text)
            .and_then(|()| {
                text.extend_from_slice(ending.as_bytes());
                std::fs::write(&path, text)
            })
            .map_err(|source| Error::Script { path, source })?;
    }
    Ok(())
}

/// Every key, for `set`.
pub fn keys(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::typed();
    let mut names = known_keys(|kind| !kind.is_list());
    names.extend(in_file(&words, |_, value| !value.is_array()));
    matching(current, names)
}

/// Keys and sections, for `show` and `get`.
pub fn keys_and_sections(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::typed();
    let mut names = known_keys(|_| true);
    names.extend(sections());
    names.extend(in_file(&words, |_, _| true));
    matching(current, names)
}

/// What is set, for `unset`; every key where the file cannot be read.
pub fn set_keys(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::typed();
    let mut names = in_file(&words, |_, _| true);
    if names.is_empty() {
        names = known_keys(|_| true);
    }
    matching(current, names)
}

/// Lists, for `add-item` and `remove-item`.
pub fn lists(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::typed();
    let mut names = known_keys(Kind::is_list);
    names.extend(in_file(&words, |path, value| {
        value.is_array() || matches!(path, ["users", "extra_user_groups", _])
    }));
    matching(current, names)
}

/// Values for the key that was typed: words of a choice, or the items that can be removed.
pub fn values(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::typed();
    let (Some(verb), Some(key)) = (words.positional.first(), words.positional.get(1)) else {
        return Vec::new();
    };
    let path: Vec<&str> = key.split('.').collect();
    let values: Vec<String> = match verb.as_str() {
        "remove-item" => items(&words, &path),
        "set" => choices(&path),
        _ => Vec::new(),
    };
    let values = values
        .into_iter()
        .filter(|value| !words.positional[2..].contains(value))
        .map(|value| (value, None));
    matching(current, values.collect())
}

fn choices(path: &[&str]) -> Vec<String> {
    let words: &[&str] = match lookup(path) {
        Lookup::Key { key, .. } if key.name == "auth.type" => AUTHENTICATORS,
        Lookup::Key { kind, .. } => match kind {
            Kind::Switch => &["true", "false"],
            Kind::Choice(words) => words,
            _ => &[],
        },
        _ => &[],
    };
    words.iter().map(ToString::to_string).collect()
}

fn items(words: &Words, path: &[&str]) -> Vec<String> {
    let Some(document) = read(&words.file) else {
        return Vec::new();
    };
    let items = document.get(path).and_then(Value::as_array);
    items.map_or_else(Vec::new, |items| {
        let scalars = items
            .iter()
            .filter(|item| !item.is_array() && !item.is_object());
        scalars
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_string)
            })
            .collect()
    })
}

/// A name with its description.
type Named = (String, Option<&'static str>);

fn known_keys(wanted: impl Fn(Kind) -> bool) -> Vec<Named> {
    KEYS.iter()
        .filter(|key| {
            !key.name.contains('<') && key.unused.is_none_or(|_| !key.name.starts_with("traefik"))
        })
        .filter(|key| wanted(key.kind))
        .map(|key| (key.name.to_string(), Some(key.summary)))
        .collect()
}

fn sections() -> Vec<Named> {
    let mut names: Vec<Named> = KEYS
        .iter()
        .flat_map(|key| key.name.match_indices('.').map(|(end, _)| &key.name[..end]))
        .filter(|name| !name.contains('<') && !name.starts_with("traefik"))
        .map(|name| (name.to_string(), None))
        .collect();
    names.dedup();
    names
}

/// The keys that the file sets and `wanted` picks.
fn in_file(words: &Words, wanted: impl Fn(&[&str], &Value) -> bool) -> Vec<Named> {
    let mut names = Vec::new();
    if let Some(document) = read(&words.file) {
        collect(document.value(), &mut Vec::new(), &wanted, &mut names);
    }
    names
}

fn collect<'value>(
    value: &'value Value,
    path: &mut Vec<&'value str>,
    wanted: &impl Fn(&[&str], &Value) -> bool,
    names: &mut Vec<Named>,
) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter().filter(|(name, _)| !name.contains('.')) {
                path.push(name);
                collect(value, path, wanted, names);
                path.pop();
            }
        }
        value if wanted(path, value) => {
            let summary = match lookup(path) {
                Lookup::Key { key, .. } if !key.name.contains('<') => Some(key.summary),
                _ => None,
            };
            names.push((path.join("."), summary));
        }
        _ => {}
    }
}

fn matching(current: &OsStr, names: Vec<Named>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let mut seen = std::collections::HashSet::new();
    names
        .into_iter()
        .filter(|(name, _)| name.starts_with(current.as_ref()) && seen.insert(name.clone()))
        .map(|(name, summary)| CompletionCandidate::new(name).help(summary.map(Into::into)))
        .collect()
}

/// The words before the cursor.
struct Words {
    file: PathBuf,
    positional: Vec<String>,
}

impl Words {
    /// Taken from our own arguments, which are `-- tljh-config WORDS`; the library shows a completer no more
    /// than the word at the cursor.
    fn typed() -> Self {
        let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
        Self::of(words)
    }

    fn of(words: impl Iterator<Item = OsString>) -> Self {
        let mut file = PathBuf::from(tljh_settings::CONFIG_PATH);
        let mut positional = Vec::new();
        let mut words = words.map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            if word == "--config-path" {
                file = words.next().unwrap_or_default().into();
            } else if let Some(path) = word.strip_prefix("--config-path=") {
                file = path.into();
            } else if !word.starts_with('-') {
                positional.push(word);
            }
        }
        // The last one is still being typed.
        positional.pop();
        Self { file, positional }
    }
}

fn read(path: &Path) -> Option<Document> {
    // A pipe would wait for its other end.
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST_FILE).read_to_string(&mut text).ok()?;
    Document::parse(&text).ok()
}
