//! Which generations running processes use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The numbers of the generations below `root` from which a process has a file mapped or open, or where it works.
/// Without root only our own processes are seen.
pub fn generations_in_use(root: &Path) -> BTreeSet<u64> {
    let start = format!("{}/", root.display());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .flat_map(|entry| texts(&entry.path()))
        .flat_map(|text| numbers(&text, &start))
        .collect()
}

/// Where the kernel names the files of a process.
fn texts(process: &Path) -> Vec<String> {
    let mut texts = vec![fs::read_to_string(process.join("maps")).unwrap_or_default()];
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
    let links = descriptors.flatten().map(|entry| entry.path());
    for link in links.chain([process.join("cwd")]) {
        texts.extend(fs::read_link(link).map(|target| format!("{}/", target.display())));
    }
    texts
}

/// The numbers that follow `start` in `text`.
fn numbers(text: &str, start: &str) -> Vec<u64> {
    text.match_indices(start)
        .filter_map(|(at, _)| {
            let rest = &text[at + start.len()..];
            rest[..rest.find('/')?].parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
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
