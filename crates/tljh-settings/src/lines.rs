//! Where a text sets its keys.

use std::collections::HashMap;
use std::str::FromStr as _;

use yaml_edit::{Mapping, YamlFile, YamlNode};

/// The lines on which a text's keys stand, the first being 1.
#[derive(Debug, Clone, Default)]
pub struct Lines(HashMap<Vec<String>, usize>);

impl Lines {
    /// Finds the keys of `text`; none where it is no YAML.
    pub fn of(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n");
        let mut lines = Self::default();
        let file = YamlFile::from_str(&text).ok();
        if let Some(mapping) = file
            .and_then(|file| file.document())
            .and_then(|document| document.as_mapping())
        {
            lines.add(&mapping, &text, &[]);
        }
        lines
    }

    /// The line of the key at `path`, or of the nearest key around it that the text writes out.
    pub fn line(&self, path: &[&str]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|length| {
            let path: Vec<String> = path[..length].iter().map(ToString::to_string).collect();
            self.0.get(&path).copied()
        })
    }

    fn add(&mut self, mapping: &Mapping, text: &str, path: &[String]) {
        for entry in mapping.entries() {
            let Some(key) = entry.key_node() else {
                continue;
            };
            let name = key
                .as_scalar()
                .map_or_else(|| key.to_string(), |scalar| scalar.as_string());
            let path = [path, &[name.trim().to_string()]].concat();
            let start = key.byte_range().start as usize;
            let line = text
                .bytes()
                .take(start)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1;
            self.0.insert(path.clone(), line);
            if let Some(below) = entry.value_node().as_ref().and_then(YamlNode::as_mapping) {
                self.add(below, text, &path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_whatever_the_style() {
        let text = "\u{feff}# head\r\n\"users\":\r\n  admin: [ada]\r\n\r\nhttp: {port: 81}\r\nbase: &b\r\n  a: 1\r\nx:\r\n  <<: *b\r\n";
        let lines = Lines::of(text);
        assert_eq!(lines.line(&["users"]), Some(2));
        assert_eq!(lines.line(&["users", "admin"]), Some(3));
        assert_eq!(lines.line(&["http", "port"]), Some(5));
        assert_eq!(lines.line(&["x", "a"]), Some(8));
        assert_eq!(lines.line(&["limits"]), None);
    }
}
