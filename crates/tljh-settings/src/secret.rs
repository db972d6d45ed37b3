//! Which values are not shown to people.

/// Whether the value at `path` may be a secret: a key on the way names a password, secret or token, or it
/// is a setting of an authenticator that the table of keys does not know.
pub(crate) fn may_be_secret<'name>(path: impl IntoIterator<Item = &'name str> + Clone) -> bool {
    let named = path.clone().into_iter().any(names_a_secret);
    let mut parts = path.into_iter();
    let below_class =
        parts.next() == Some("auth") && parts.next().is_some_and(|class| class != "type");
    named || (below_class && parts.next().is_some_and(|name| name != "create_users"))
}

/// Whether a key of this name holds a secret.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token"]
        .iter()
        .any(|word| name.contains(word))
}
