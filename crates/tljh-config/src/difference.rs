//! The difference between two configurations, as people read it.

use std::path::Path;

use similar::TextDiff;
use tljh_settings::edit::Document;
use tljh_settings::redact_text;

/// The unified difference between two texts of the file at `path`, with secrets masked.
pub fn unified(path: &Path, before: &Document, after: &Document) -> String {
    let name = path.display().to_string();
    let (before, after) = (redact_text(before, before), redact_text(after, before));
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(&name, &format!("{name} (new)"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_is_seen_to_change_and_not_seen() {
        let document = |text| Document::parse(text).unwrap();
        let text = unified(
            Path::new("/f"),
            &document("a:\n  password: old1\n"),
            &document("a:\n  password: new1\n"),
        );
        assert_eq!(
            text,
            "--- /f\n+++ /f (new)\n@@ -1,2 +1,2 @@\n a:\n-  password: '***'\n+  password: '*** (changed)'\n"
        );
    }
}
