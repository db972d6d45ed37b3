//! The solver's explanation of a conflict, as short as people can take it.

/// More lines explain no better.
const LINES: usize = 20;
/// Letters of one line.
const WIDTH: usize = 160;

/// The first lines of `explanations`, without repetitions.
pub fn shorten(explanations: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in explanations.iter().flat_map(|text| text.lines()) {
        let line = clip(line.trim_end());
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("... and {more} more lines"));
    }
    lines.join("\n")
}

fn clip(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.into();
    }
    let mut short: String = line.chars().take(WIDTH - 3).collect();
    short.push_str("...");
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_no_longer_than_a_screen() {
        let text: String = (0..100)
            .map(|n| format!("line {n}\n\nline {n}\n"))
            .collect();
        let short = shorten(&[text, "x".repeat(1000)]);
        assert_eq!(short.lines().count(), LINES + 1);
        assert!(short.ends_with("... and 81 more lines"));
        assert_eq!(shorten(&["é".repeat(200)]).chars().count(), WIDTH);
    }
}
