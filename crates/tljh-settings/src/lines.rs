//! Where a text sets its keys.

use crate::place::{Position, Step};
use crate::tree::Tree;

/// The lines on which a text's keys stand, the first being 1.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    text: String,
    tree: Tree,
}

impl Lines {
    /// Finds the keys of `text`; none where it is no YAML.
    pub fn of(text: &str) -> Self {
        Self {
            text: text.to_string(),
            tree: Tree::parse(text).unwrap_or_default(),
        }
    }

    /// The line of the key at `path`, or of the nearest key around it, where its value is written.
    pub fn line(&self, path: &[&str]) -> Option<usize> {
        let steps: Vec<Step> = path
            .iter()
            .map(|name| Step::Name((*name).to_string()))
            .collect();
        let key = self.tree.find(&steps)?.key?;
        Some(Position::of(&self.text, key.range.start).line)
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
        assert_eq!(lines.line(&["x"]), Some(8));
        assert_eq!(lines.line(&["x", "a"]), Some(7));
        assert_eq!(lines.line(&["limits"]), None);
    }
}
