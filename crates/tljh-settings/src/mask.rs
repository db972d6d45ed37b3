//! Lines of a text as they may be shown, with stars for what may be a secret.

use std::ops::Range;

use crate::secret::{may_be_secret, names_a_secret};
use crate::tree::Tree;

/// The line of the byte `at`. As many stars as characters, so that columns stay.
pub(crate) fn masked_line(text: &str, tree: &Tree, at: usize) -> String {
    let line = line_of(text, at);
    let mut hidden = Vec::new();
    tree.each_scalar(&mut |path, node| {
        let meets = node.range.start < line.end && line.start < node.range.end;
        if meets && may_be_secret(path) {
            hidden.push(node.range.clone());
        }
    });
    masked(text, line, &hidden)
}

/// The line of the byte `at` in a text that has no tree.
///
/// Keys are guessed from the lines: a line belongs to its own key and to those above it that are indented
/// less, or to the nearest key above if it has none.
pub(crate) fn masked_line_of_broken_text(text: &str, at: usize) -> String {
    let line = line_of(text, at);
    let own = &text[line.clone()];
    let own_key = key_of(own);
    let mut path: Vec<&str> = Vec::new();
    let mut named = false;
    let mut indent = if own_key.is_some() {
        indent_of(own)
    } else {
        usize::MAX
    };
    for above in text[..line.start].lines().rev() {
        if above.trim().is_empty() || above.trim_start().starts_with('#') {
            continue;
        }
        if let Some((key, _)) = key_of(above).filter(|_| indent_of(above) < indent) {
            path.insert(0, key);
            // Brackets that are open there may hold this line.
            named |= names_a_secret(above);
            indent = indent_of(above);
        }
        if indent == 0 {
            break;
        }
    }
    path.extend(own_key.map(|(key, _)| key));
    let start = match own_key {
        _ if named => 0,
        Some((_, colon)) if may_be_secret(&path) => colon + 1,
        None if may_be_secret(&path) => 0,
        _ => match first_secret_word(own) {
            Some(word) => word,
            None => own.len(),
        },
    };
    masked(
        text,
        line.clone(),
        std::slice::from_ref(&(line.start + start..line.end)),
    )
}

/// Behind the first word that names a secret, with its colon.
fn first_secret_word(line: &str) -> Option<usize> {
    let ends = line
        .char_indices()
        .map(|(at, character)| at + character.len_utf8());
    let end = ends.into_iter().find(|end| names_a_secret(&line[..*end]))?;
    Some(line[end..].find(':').map_or(end, |colon| end + colon + 1))
}

fn key_of(line: &str) -> Option<(&str, usize)> {
    let colon = line.find(": ").or_else(|| {
        line.trim_end()
            .ends_with(':')
            .then(|| line.rfind(':'))
            .flatten()
    })?;
    let key = line[..colon]
        .trim_start_matches([' ', '\t', '-', '?', '{', '\u{feff}'])
        .trim();
    Some((key.trim_matches(['\'', '"']), colon))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let start = if start == 0 && text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        start
    };
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |end| start + end);
    start..start + text[start..end].trim_end_matches('\r').len()
}

fn masked(text: &str, line: Range<usize>, hidden: &[Range<usize>]) -> String {
    text[line.clone()]
        .char_indices()
        .map(|(at, character)| {
            let at = line.start + at;
            let shown =
                character.is_whitespace() || !hidden.iter().any(|range| range.contains(&at));
            if shown { character } else { '*' }
        })
        .collect()
}
