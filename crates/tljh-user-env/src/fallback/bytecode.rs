//! Bytecode for a copy of a generation, from that generation itself.

use std::fs;
use std::path::Path;

/// Gives the files of `new` the bytecode that those of `old` have. Python looks whether it belongs to the source beside
/// it, by size and time, and only ever puts another file in its place, so that the files are shared. What cannot be
/// shared is compiled later.
pub fn share(old: &Path, new: &Path) {
    let Ok(entries) = fs::read_dir(old) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let (from, to) = (entry.path(), new.join(entry.file_name()));
        if entry.file_name() == "__pycache__" {
            link_all(&from, &to);
        } else if to.is_dir() {
            share(&from, &to);
        }
    }
}

fn link_all(from: &Path, to: &Path) {
    // It inherits group and rights from the folder above.
    if fs::create_dir(to).is_err() && !to.is_dir() {
        return;
    }
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let _ = fs::hard_link(entry.path(), to.join(entry.file_name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_the_copy_has_get_bytecode() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        for package in ["kept", "gone"] {
            let folder = old.join(package).join("__pycache__");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("a.cpython-313.pyc"), "code").unwrap();
        }
        fs::create_dir_all(new.join("kept")).unwrap();
        for _ in 0..2 {
            share(&old, &new);
            let shared = new.join("kept/__pycache__/a.cpython-313.pyc");
            assert_eq!(fs::read_to_string(shared).unwrap(), "code");
            assert!(!new.join("gone").exists());
        }
    }
}
