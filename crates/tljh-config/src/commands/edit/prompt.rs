//! Questions that a person or a script answers.

use std::io::{BufRead as _, Write as _};

use crate::error::Error;

/// Asks on standard error until a line of standard input begins with one of `letters`; `None` at its end.
///
/// dialoguer cannot be used: it refuses a standard input that is no terminal.
pub fn ask(question: &str, letters: &str) -> Result<Option<char>, Error> {
    loop {
        let mut out = std::io::stderr().lock();
        // Standard error may be closed; the answer is read all the same.
        let _ = out
            .write_all(question.as_bytes())
            .and_then(|()| out.flush());
        let mut line = String::new();
        let length = std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(Error::Input)?;
        if length == 0 {
            let _ = out.write_all(b"\n");
            return Ok(None);
        }
        let letter = line.trim_start().chars().next();
        let letter = letter.map(|letter| letter.to_ascii_lowercase());
        if let Some(letter) = letter.filter(|letter| letters.contains(*letter)) {
            return Ok(Some(letter));
        }
    }
}
