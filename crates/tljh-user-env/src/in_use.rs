//! Which generations running processes use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use procfs::process::{FDTarget, MMapPath, Process, all_processes};

/// The numbers of the generations below `root` from which a process has a file mapped or open, or where it works.
/// Without root only our own processes are seen.
pub fn generations_in_use(root: &Path) -> BTreeSet<u64> {
    let number = |path: PathBuf| -> Option<u64> {
        let below = path.strip_prefix(root).ok()?;
        below.iter().next()?.to_str()?.parse().ok()
    };
    all_processes()
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(|process| used(&process))
        .filter_map(number)
        .collect()
}

/// The files that the kernel names for a process; none for one that has just ended.
fn used(process: &Process) -> Vec<PathBuf> {
    let mapped = process.maps().into_iter().flatten();
    let mapped = mapped.filter_map(|map| match map.pathname {
        MMapPath::Path(path) => Some(path),
        _ => None,
    });
    let open = process.fd().into_iter().flatten().flatten();
    let open = open.filter_map(|descriptor| match descriptor.target {
        FDTarget::Path(path) => Some(path),
        _ => None,
    });
    mapped.chain(open).chain(process.cwd()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_generation_from_which_a_file_is_open_is_in_use() {
        let root = tempfile::tempdir().unwrap();
        for number in ["1", "2"] {
            fs::create_dir(root.path().join(number)).unwrap();
            fs::write(root.path().join(number).join("file"), "").unwrap();
        }
        let open = fs::File::open(root.path().join("2/file")).unwrap();
        assert_eq!(generations_in_use(root.path()), BTreeSet::from([2]));
        drop(open);
        assert_eq!(generations_in_use(root.path()), BTreeSet::new());
    }
}
