//! Paths as prefixes.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The path of a request target, without its query; `/` for targets that are no path, as `*`.
pub fn path_of(target: &[u8]) -> &[u8] {
    let end = target
        .iter()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .unwrap_or(target.len());
    match target.get(..end) {
        Some(path) if path.first() == Some(&b'/') => path,
        _ => b"/",
    }
}

/// A path without its percent escapes. What is no escape stays as it is; the bytes need not be UTF-8.
pub fn unescape(path: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(path).into()
}

/// The key under which a prefix is kept: a slash in front, none behind but for the root (as CHP's `trimPrefix`).
pub fn key_of(prefix: &str) -> String {
    let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
    if trimmed.starts_with('/') {
        trimmed.to_string()
    } else {
        format!("/{trimmed}")
    }
}

/// The prefixes of an unescaped `path` that end with a segment, longest first, and the root last. Those of more than
/// `depth` segments are left out, so that a path of very many slashes costs no more than the deepest route.
pub fn prefixes(path: &[u8], depth: usize) -> impl Iterator<Item = &[u8]> {
    let mut ends: Vec<usize> = path
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, byte)| **byte == b'/')
        .map(|(end, _)| end)
        .take(depth)
        .collect();
    if ends.len() < depth && path.len() > 1 {
        ends.push(path.len());
    }
    ends.into_iter()
        .rev()
        .filter_map(|end| path.get(..end))
        .chain(std::iter::once(b"/".as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &str, depth: usize) -> Vec<String> {
        prefixes(path.as_bytes(), depth)
            .map(|prefix| String::from_utf8_lossy(prefix).into_owned())
            .collect()
    }

    #[test]
    fn prefixes_end_with_whole_segments_and_come_longest_first() {
        assert_eq!(
            listed("/user/ab/lab", 9),
            ["/user/ab/lab", "/user/ab", "/user", "/"]
        );
        assert_eq!(listed("/user/ab/lab", 2), ["/user/ab", "/user", "/"]);
        assert_eq!(listed("/", 9), ["/"]);
        assert_eq!(listed("//x", 9), ["//x", "/", "/"]);
        assert_eq!(listed("/x/y", 0), ["/"]);
    }

    #[test]
    fn a_target_that_is_no_path_counts_as_the_root() {
        assert_eq!(path_of(b"/a/b?x=/c"), b"/a/b");
        assert_eq!(path_of(b"/a/b?"), b"/a/b");
        assert_eq!(path_of(b"*"), b"/");
    }

    #[test]
    fn keys_have_a_slash_in_front_and_none_behind() {
        for (prefix, key) in [
            ("", "/"),
            ("/", "/"),
            ("/a/", "/a"),
            ("a", "/a"),
            ("/a//", "/a/"),
            ("//", "/"),
        ] {
            assert_eq!(key_of(prefix), key, "{prefix}");
        }
    }
}
