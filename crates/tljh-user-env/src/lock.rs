//! The lock of the bundle, entry by entry, and which of the bundle's wheels an interpreter can use.

use std::collections::BTreeMap;

use crate::manifest::normalize;

/// A package of a lock (`requirements.txt` with hashes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name as normalised by PEP 503.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its lines, marker and hashes included.
    pub text: String,
}

/// A wheel by its file name (PEP 427).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// The package's name as normalised by PEP 503.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Tags of interpreters, such as `cp311` or `py2.py3`.
    python: String,
    /// Tag of the binary interface: `abi3`, `none`, or an interpreter's own.
    abi: String,
}

/// The entries of a lock, by name. One lock serves several versions of Python, so a name may come twice.
pub fn entries(lock: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in lock.lines() {
        match start(line) {
            Some((name, version)) => entries.push(Entry {
                name: normalize(name),
                version: version.to_string(),
                text: format!("{line}\n"),
            }),
            None if line.starts_with([' ', '\t']) => {
                if let Some(last) = entries.last_mut() {
                    last.text += line;
                    last.text.push('\n');
                }
            }
            None => {}
        }
    }
    entries
}

/// `name==version`, at the beginning of a line that is neither a comment nor a hash.
fn start(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once("==")?;
    let version = rest.split([' ', ';', '\\']).next()?;
    (!name.contains([' ', '#'])).then_some((name, version))
}

/// Name and version of each entry.
pub fn versions<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|entry| (entry.name.clone(), entry.version.clone()))
        .collect()
}

impl Wheel {
    /// Reads a file name; none if it is no wheel's.
    pub fn parse(file: &str) -> Option<Self> {
        let parts: Vec<&str> = file.strip_suffix(".whl")?.split('-').collect();
        // A number of the build may come third.
        if !(5..=6).contains(&parts.len()) {
            return None;
        }
        Some(Self {
            name: normalize(parts[0]),
            version: parts[1].to_string(),
            python: parts[parts.len() - 3].to_string(),
            abi: parts[parts.len() - 2].to_string(),
        })
    }

    /// Whether it serves CPython 3.`minor`. Platforms are not looked at: the bundle is for this one.
    pub fn fits(&self, minor: u32) -> bool {
        self.python.split('.').any(|tag| {
            if self.abi == "none" && tag == "py3" {
                return true;
            }
            let made_for = tag
                .strip_prefix("cp3")
                .and_then(|minor| minor.parse::<u32>().ok());
            match self.abi.as_str() {
                // The stable interface serves the versions after it too.
                "abi3" => made_for.is_some_and(|made_for| made_for <= minor),
                _ => made_for == Some(minor),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_hashes_and_nothing_of_others() {
        let lock = "# made\nA_b==1.0 \\\n    --hash=sha256:00\n    # via -r x==y\nc==2 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n";
        let read = entries(lock);
        let versions: Vec<_> = read
            .iter()
            .map(|entry| (entry.name.as_str(), entry.version.as_str()))
            .collect();
        assert_eq!(versions, [("a-b", "1.0"), ("c", "2")]);
        assert_eq!(
            read[0].text,
            "A_b==1.0 \\\n    --hash=sha256:00\n    # via -r x==y\n"
        );
        assert!(read[1].text.contains("win32") && read[1].text.ends_with("sha256:11\n"));
    }

    #[test]
    fn a_wheel_fits_the_python_that_its_tags_name() {
        let fits = |file: &str, minor| Wheel::parse(file).unwrap().fits(minor);
        for (file, old, new) in [
            ("A_b-1.0-py3-none-any.whl", true, true),
            ("a-1.0-py2.py3-none-any.whl", true, true),
            ("a-1.0-1-cp311-cp311-manylinux_2_17_x86_64.whl", true, false),
            ("a-1.0-cp36-abi3-manylinux2014_x86_64.whl", true, true),
            ("a-1.0-cp312-abi3-manylinux2014_x86_64.whl", false, true),
            ("a-1.0-cp313-none-any.whl", false, true),
            ("a-1.0-py2-none-any.whl", false, false),
        ] {
            assert_eq!((fits(file, 11), fits(file, 13)), (old, new), "{file}");
        }
        assert_eq!(
            Wheel::parse("A_b-1.0-py3-none-any.whl").unwrap().name,
            "a-b"
        );
        assert_eq!(Wheel::parse("README"), None);
    }
}
