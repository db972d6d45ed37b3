//! From the name of a hub user to the name of an account.

use std::fmt;

use sha2::{Digest, Sha256};

/// Upstream's prefix, which keeps hub users away from `root` and people's own accounts.
const PREFIX: &str = "jupyter-";
/// From this many characters on, upstream shortens the whole name and adds a hash.
const LONGEST: usize = 26;

/// The name of a hub user's account: at most 32 characters of `a-z0-9_.-`, beginning with `jupyter-`.
///
/// Names that worked with upstream map as there: `jupyter-<name>`, and from 26 characters on the first 26
/// of the whole name, `-` and five hex digits of the whole name's SHA-256
/// (`tljh/normalize.py`). Every other name has its unsafe characters replaced by `_` and always gets the
/// hash, so that it cannot meet a name that needed no change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName(String);

impl AccountName {
    /// The account of the hub user `name`, whatever characters it has.
    pub fn for_hub_user(name: &str) -> Self {
        let whole = format!("{PREFIX}{name}");
        let safe: String = whole
            .chars()
            .map(|c| if is_safe(c) { c } else { '_' })
            .collect();
        if safe == whole && whole.chars().count() < LONGEST && !whole.ends_with(['.', '-']) {
            return Self(whole);
        }
        let hash: String = Sha256::digest(whole.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let start: String = safe.chars().take(LONGEST).collect();
        Self(format!("{start}-{}", &hash[..5]))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_safe(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-')
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> String {
        AccountName::for_hub_user(name).0
    }

    #[test]
    fn ordinary_names_map_as_upstream() {
        assert_eq!(account("alice"), "jupyter-alice");
        assert_eq!(account("12345"), "jupyter-12345");
        assert_eq!(account("a.b_c-d"), "jupyter-a.b_c-d");
    }

    #[test]
    fn long_names_map_as_upstream_from_26_characters_of_the_whole_name_on() {
        // Values computed with upstream's generate_system_username.
        assert_eq!(
            account(&"a".repeat(17)),
            format!("jupyter-{}", "a".repeat(17))
        );
        assert_eq!(account(&"a".repeat(18)), "jupyter-aaaaaaaaaaaaaaaaaa-3f1e4");
        assert_eq!(account(&"x".repeat(64)), "jupyter-xxxxxxxxxxxxxxxxxx-54e3a");
    }

    #[test]
    fn unsafe_names_become_safe_and_stay_distinct() {
        let names = [
            "a@b.c", "a_b.c", "Alice", "alice", "ünï", "-rf", "../x", "a b", "a:b", "a\nb", "",
            "{x}", "%s", "x.", "x-",
        ];
        let mut accounts: Vec<String> = names.iter().map(|name| account(name)).collect();
        for account in &accounts {
            assert!(
                account.len() <= 32 && account.starts_with("jupyter-"),
                "{account}"
            );
            assert!(account.chars().all(is_safe), "{account}");
        }
        accounts.sort();
        accounts.dedup();
        assert_eq!(accounts.len(), names.len());
    }
}
