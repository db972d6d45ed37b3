//! What has changed since all routes were last written at once: a line for each change, so that a change costs as much
//! among thousands of routes as among ten.
//!
//! The first line is the SHA-256 of the file that the others change. Beside any other file, one that was written since or
//! by hand, the journal means nothing: whatever a crash leaves of the two is right. A process appends only to a journal
//! that it has begun itself, so that what a power cut has left at the end of another's is never built upon.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::durable;

/// Bytes of changes that are kept beside however few routes.
const LEAST_ROOM: u64 = 1 << 16;

/// The journal beside one version of the file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// SHA-256 of that version.
    of: String,
    /// Bytes that are there and durable; 0 before the first change.
    size: u64,
    /// How long it may become: then all routes are better written at once.
    room: u64,
}

impl Journal {
    /// A journal to be begun at `path`, beside the file of this content.
    pub fn new(path: PathBuf, content: &[u8]) -> Self {
        Self {
            path,
            of: digest(content),
            size: 0,
            room: LEAST_ROOM.max(content.len() as u64),
        }
    }

    /// Notes that `prefix` has this route now, or none. When this returns, a power cut cannot undo it.
    ///
    /// # Errors
    /// There is no room left, the file is not as it was left, or it could not be written: it is what it was before then,
    /// as far as that can be had, and not to be appended to any more.
    pub fn append(&mut self, prefix: &str, route: Option<Value>) -> io::Result<()> {
        let line = format!("{}\n", json!({prefix: route}));
        let new_size = self.size + line.len() as u64;
        if new_size > self.room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.size == 0 {
            let text = format!("{}\n{line}", self.of);
            durable::replace(&self.path, text.as_bytes())?;
            self.size = text.len() as u64;
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        if file.metadata()?.len() != self.size {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let written = file.write_all(line.as_bytes());
        let written = written.and_then(|()| file.sync_data());
        if written.is_err() {
            // What was refused must not come back with the next start.
            let _ = file.set_len(self.size).and_then(|()| file.sync_all());
        } else {
            self.size = new_size;
        }
        written
    }
}

/// Whether `journal` is one beside the file of this content.
pub fn is_beside(journal: &[u8], content: &[u8]) -> bool {
    let mut lines = journal.split_inclusive(|byte| *byte == b'\n');
    let of = lines.next().and_then(|line| line.strip_suffix(b"\n"));
    of == Some(digest(content).as_bytes())
}

/// Makes the changes that `journal` holds on the `routes` that were read from `content`. A last line that was cut off is
/// no change: nobody was told that it is made. Gives how many other lines could not be read.
pub fn replay(journal: &[u8], content: &[u8], routes: &mut Map<String, Value>) -> usize {
    if !is_beside(journal, content) {
        return 0;
    }
    let mut unread = 0;
    let lines = journal.split_inclusive(|byte| *byte == b'\n');
    let mut lines = lines.skip(1).peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        match serde_json::from_slice::<Map<String, Value>>(line) {
            Ok(changes) if line.ends_with(b"\n") => {
                for (prefix, route) in changes {
                    if route.is_null() {
                        routes.swap_remove(&prefix);
                    } else {
                        routes.insert(prefix, route);
                    }
                }
            }
            _ if is_last => {}
            _ => unread += 1,
        }
    }
    unread
}

fn digest(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CONTENT: &[u8] = b"{}";

    fn route(number: usize) -> Value {
        json!({"target": "http://127.0.0.1:1", "number": number})
    }

    fn replayed(journal: &[u8], content: &[u8]) -> (Vec<String>, usize) {
        let mut routes = Map::new();
        let unread = replay(journal, content, &mut routes);
        (
            routes.into_iter().map(|(prefix, _)| prefix).collect(),
            unread,
        )
    }

    #[test]
    fn the_last_change_of_a_prefix_counts_wherever_the_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::new(path.clone(), CONTENT);
        let (mut states, mut ends) = (vec![vec![]], vec![0]);
        for (prefix, route, there) in [
            ("/a", Some(route(1)), &["/a"][..]),
            ("/é\n", Some(route(2)), &["/a", "/é\n"]),
            ("/a", Some(route(3)), &["/a", "/é\n"]),
            ("/é\n", None, &["/a"]),
            ("/absent", None, &["/a"]),
        ] {
            journal.append(prefix, route).unwrap();
            states.push(there.to_vec());
            ends.push(fs::metadata(&path).unwrap().len() as usize);
        }
        let text = fs::read(&path).unwrap();
        for length in 0..=text.len() {
            let whole = ends.iter().rposition(|end| *end <= length).unwrap();
            let cut = text.get(..length).unwrap();
            assert_eq!(
                replayed(cut, CONTENT),
                (states[whole].iter().map(ToString::to_string).collect(), 0)
            );
            // A file may be as long as it was to be, and hold nothing there.
            let mut emptied = text.clone();
            emptied[length..].fill(0);
            assert_eq!(replayed(&emptied, CONTENT).0, states[whole], "{length}");
        }
        let mut routes = Map::new();
        replay(&text, CONTENT, &mut routes);
        assert_eq!(routes["/a"]["number"], 3);
    }

    #[test]
    fn beside_another_file_it_means_nothing_and_a_bad_line_costs_no_other() {
        let of = digest(CONTENT);
        let text = format!("{of}\n{{\"/a\":{{}}}}\n\0\0\n[]\n{{\"/b\":{{}}}}\n");
        let both = vec!["/a".to_string(), "/b".to_string()];
        assert_eq!(replayed(text.as_bytes(), CONTENT), (both, 2));
        assert_eq!(replayed(text.as_bytes(), b"{ }"), (vec![], 0));
        assert_eq!(replayed(b"", CONTENT), (vec![], 0));
        assert_eq!(replayed(of.as_bytes(), CONTENT), (vec![], 0));
    }

    #[test]
    fn what_was_changed_by_somebody_else_or_is_full_is_not_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::new(path.clone(), CONTENT);
        journal.append("/a", Some(route(1))).unwrap();
        let before = fs::read(&path).unwrap();
        fs::write(&path, [&before[..], b"x"].concat()).unwrap();
        assert!(journal.append("/b", None).is_err());
        fs::write(&path, &before).unwrap();
        journal.append("/b", None).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(journal.append("/b", None).is_err());
        assert!(!path.exists());
        let long = "x".repeat(LEAST_ROOM as usize);
        assert!(
            Journal::new(path.clone(), CONTENT)
                .append(&long, None)
                .is_err()
        );
        assert!(!path.exists());
        assert!(
            Journal::new(path.clone(), long.repeat(2).as_bytes())
                .append(&long, None)
                .is_ok()
        );
    }
}
