//! What can be seen of the active generation without starting anything: it tells whether anybody changed it.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::generations::{Active, Generations};

/// A digest of the link, of the Python behind it, and of names, sizes, times and modes of all files but bytecode. It
/// opens none of them.
pub fn seen(generations: &Generations) -> String {
    let mut digest = Sha256::new();
    let link = generations.link();
    digest.update(format!("{:?}", fs::read_link(link)));
    if let Ok(Active::Generation(number)) = generations.active() {
        let folder = generations.folder(number);
        digest.update(format!(
            "{:?}",
            generations.ready(number).ok().flatten().is_some()
        ));
        // The system's, of which another version may have come.
        digest.update(python(&folder.join("bin/python")));
        let mut lines = Vec::new();
        look(&folder, &mut lines);
        lines.sort_unstable();
        lines.iter().for_each(|line| digest.update(line));
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn python(path: &Path) -> String {
    let real = fs::canonicalize(path);
    let metadata = real.as_ref().ok().and_then(|real| fs::metadata(real).ok());
    format!(
        "{:?} {:?}",
        real.ok(),
        metadata.map(|metadata| (metadata.len(), metadata.mtime(), metadata.mode()))
    )
}

fn look(folder: &Path, lines: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        // Bytecode comes with use; uv's lock comes and goes.
        if name == "__pycache__" || name == ".lock" {
            continue;
        }
        let path = entry.path();
        let mut line = path.as_os_str().as_bytes().to_vec();
        let target = fs::read_link(&path);
        let told = if metadata.is_dir() {
            look(&path, lines);
            format!("\0{:o}\n", metadata.mode())
        } else {
            format!(
                "\0{:o} {} {}.{} {:?}\n",
                metadata.mode(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                target.ok()
            )
        };
        line.extend_from_slice(told.as_bytes());
        lines.push(line);
    }
}
