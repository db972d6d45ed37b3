//! Which values are not shown to people.

const SECRET_WORDS: &[&str] = &[
    "api_key",
    "apikey",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "token",
];
/// Names that hold a secret word and no secret.
const PLAIN_ENDINGS: &[&str] = &["_url", "_length", "_file", "_path"];

/// Whether the value at `path` is a secret by the names on the way.
pub fn is_secret(path: &[&str]) -> bool {
    // Below `users` are the names of people and groups.
    path.first() != Some(&"users") && path.iter().any(|name| names_a_secret(name))
}

/// Whether the value at `path` may be a secret: it is one by its name, or it is a setting of an authenticator
/// that the table of keys does not know.
pub(crate) fn may_be_secret(path: &[&str]) -> bool {
    let below_class =
        matches!(path, ["auth", class, name, ..] if *class != "type" && *name != "create_users");
    below_class || is_secret(path)
}

/// Whether a key of this name holds a secret.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word))
        && !PLAIN_ENDINGS.iter().any(|ending| name.ends_with(ending))
}
