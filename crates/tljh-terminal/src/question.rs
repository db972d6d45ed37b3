//! Questions that a person or a script answers.

use std::io;

/// Asks on standard error until a line of standard input begins with one of `letters`, in lower case; `None` at its
/// end. An empty line is the answer `default`, where there is one.
///
/// dialoguer cannot be used: it refuses a standard input that is no terminal.
///
/// # Errors
/// Standard input cannot be read.
pub fn ask(question: &str, letters: &str, default: Option<char>) -> io::Result<Option<char>> {
    let mut input = io::stdin().lock();
    ask_on(&mut input, &mut io::stderr(), question, letters, default)
}

fn ask_on(
    input: &mut impl io::BufRead,
    out: &mut impl io::Write,
    question: &str,
    letters: &str,
    default: Option<char>,
) -> io::Result<Option<char>> {
    loop {
        // Standard error may be closed; the answer is read all the same.
        let _ = out
            .write_all(question.as_bytes())
            .and_then(|()| out.flush());
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            let _ = out.write_all(b"\n");
            return Ok(None);
        }
        let letter = line.trim_start().chars().next();
        let letter = letter.map(|letter| letter.to_ascii_lowercase()).or(default);
        if let Some(letter) = letter.filter(|letter| letters.contains(*letter)) {
            return Ok(Some(letter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(mut lines: &[u8], default: Option<char>) -> (Option<char>, usize) {
        let mut shown = Vec::new();
        let answer = ask_on(&mut lines, &mut shown, "? ", "yn", default).unwrap();
        (answer, shown.iter().filter(|byte| **byte == b'?').count())
    }

    #[test]
    fn it_is_asked_until_there_is_an_answer() {
        assert_eq!(answer(b"maybe\n Yes\n", None), (Some('y'), 2));
        assert_eq!(answer(b"\nn\n", None), (Some('n'), 2));
        assert_eq!(answer(b"\nn\n", Some('y')), (Some('y'), 1));
        assert_eq!(answer(b"", Some('y')), (None, 1));
    }
}
