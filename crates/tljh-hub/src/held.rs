//! The files that the hub runs from, held while dpkg replaces them.
//!
//! Python imports modules, and JupyterHub reads pages and static files, when they are first needed. For seconds of an
//! upgrade half of them are those of the next version, and from then until its restart the hub would mix both. So each
//! start takes hard links of all that dpkg may replace, which it does by rename, and mounts them over the real places, in
//! the mount namespace of jupyterhub.service alone.
//!
//! `/opt/tljh/.hub/NUMBER` holds `hub` and `share`; the highest number is the one in use. It is made under another name,
//! so that whatever ends this, a number stands for a whole. Where nothing has changed since the last start, it is used
//! again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tljh_machine::files::{self, FileError};
use tljh_machine::{Invocation, Paths, Runner, mount, tree};

/// While it is made, and while it is removed.
const UNFINISHED: &str = "unfinished";

/// What is held: its name in the folder, and the place that dpkg writes to.
fn parts(paths: &Paths) -> [(&'static str, PathBuf); 2] {
    [
        ("hub", paths.hub_environment()),
        ("share", paths.hub_files()),
    ]
}

/// Has this process, and what it becomes, see the files as they are now, until it ends. Repeated in the same process, it
/// changes nothing. It does nothing where that would change the files for others too.
///
/// # Errors
/// The files cannot be linked or mounted. The hub can do without.
pub fn ensure_held(paths: &Paths, runner: &dyn Runner) -> Result<(), FileError> {
    if !mount::is_private(paths) || is_mounted(paths) {
        return Ok(());
    }
    let Some(held) = ensure_taken(paths, runner)? else {
        return Ok(());
    };
    for (name, place) in parts(paths) {
        mount::bind_read_only(&held.join(name), &place)?;
    }
    Ok(())
}

/// Removes what no hub holds any more, once the hub answers: all but the newest.
///
/// # Errors
/// Something cannot be removed.
pub fn ensure_old_absent(paths: &Paths) -> Result<(), FileError> {
    let mut numbers = numbers(paths);
    numbers.pop();
    files::ensure_tree_absent(&paths.held().join(UNFINISHED))?;
    ensure_absent(paths, &numbers)
}

fn ensure_absent(paths: &Paths, numbers: &[u64]) -> Result<(), FileError> {
    let unfinished = paths.held().join(UNFINISHED);
    for number in numbers {
        files::rename(&paths.held().join(number.to_string()), &unfinished)?;
        files::ensure_tree_absent(&unfinished)?;
    }
    Ok(())
}

/// The folder with the links, made where the last one does not show what is there now; `None` while dpkg puts the first
/// files in place.
fn ensure_taken(paths: &Paths, runner: &dyn Runner) -> Result<Option<PathBuf>, FileError> {
    let numbers = numbers(paths);
    let last = numbers.last().copied();
    let newest = last.map(|number| paths.held().join(number.to_string()));
    if is_being_replaced(runner) {
        if newest.is_some() {
            log::warn!(
                "the package `tljh-hub` is not wholly unpacked: starting from its files of before\n\
                 hint: if no upgrade is under way, run `sudo apt install --reinstall tljh-hub`"
            );
        }
        return Ok(newest);
    }
    if let Some(newest) = &newest
        && is_current(paths, newest)?
    {
        return Ok(Some(newest.clone()));
    }
    files::ensure_folder(&paths.held(), 0o700)?;
    let unfinished = paths.held().join(UNFINISHED);
    files::ensure_tree_absent(&unfinished)?;
    // The first is what a hub answered with; those after it, if any, were upgraded before they did.
    ensure_absent(paths, numbers.get(1..).unwrap_or_default())?;
    files::ensure_folder(&unfinished, 0o700)?;
    for (name, place) in parts(paths) {
        let target = unfinished.join(name);
        files::ensure_folder(&target, 0o755)?;
        tree::link_tree(&place, &target)?;
    }
    let number = last.map_or(1, |last| last + 1);
    let taken = paths.held().join(number.to_string());
    files::rename(&unfinished, &taken)?;
    Ok(Some(taken))
}

/// The numbers of what is held, the newest last.
fn numbers(paths: &Paths) -> Vec<u64> {
    let mut numbers: Vec<u64> = fs::read_dir(paths.held())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Whether `held` shows what is in the real places.
fn is_current(paths: &Paths, held: &Path) -> Result<bool, FileError> {
    for (name, place) in parts(paths) {
        if !tree::is_linked_tree(&place, &held.join(name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the files of the last start are what this process sees.
fn is_mounted(paths: &Paths) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|folder| (folder.dev(), folder.ino()));
    let seen = identity(&paths.hub_environment()).ok();
    numbers(paths).iter().any(|number| {
        let held = paths.held().join(number.to_string()).join("hub");
        seen.is_some() && identity(&held).ok() == seen
    })
}

/// Whether dpkg is putting other files into the place of these, or was ended meanwhile. Where dpkg knows nothing of them,
/// they are nobody's to replace.
fn is_being_replaced(runner: &dyn Runner) -> bool {
    let asked = Invocation::new("dpkg-query").args([
        "--show",
        "--showformat=${db:Status-Status}",
        "tljh-hub",
    ]);
    runner
        .output(&asked)
        .is_ok_and(|answer| answer.stdout.trim() == "half-installed")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tljh_machine::Recorder;

    use super::*;

    /// A machine with one module and one page, both of the first version.
    fn machine() -> (TempDir, Paths, Recorder) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        fs::create_dir_all(paths.hub_environment().join("lib")).unwrap();
        fs::create_dir_all(paths.hub_files()).unwrap();
        replace(&paths, "first");
        (root, paths, Recorder::default())
    }

    /// As dpkg does.
    fn replace(paths: &Paths, content: &str) {
        for file in [module(&paths.hub_environment()), page(&paths.hub_files())] {
            let new = file.with_extension("dpkg-new");
            fs::write(&new, content).unwrap();
            fs::rename(new, file).unwrap();
        }
    }

    fn module(environment: &Path) -> PathBuf {
        environment.join("lib/module.py")
    }

    fn page(files: &Path) -> PathBuf {
        files.join("page.html")
    }

    fn contents(held: &Path) -> [String; 2] {
        [module(&held.join("hub")), page(&held.join("share"))]
            .map(|file| fs::read_to_string(file).unwrap())
    }

    #[test]
    fn what_is_held_stays_while_dpkg_replaces_it() {
        let (_root, paths, dpkg) = machine();
        let held = ensure_taken(&paths, &dpkg).unwrap().unwrap();
        replace(&paths, "second");
        assert_eq!(contents(&held), ["first", "first"]);
        let next = ensure_taken(&paths, &dpkg).unwrap().unwrap();
        assert_eq!(contents(&next), ["second", "second"]);
        assert_eq!(contents(&held), ["first", "first"]);
    }

    #[test]
    fn a_start_with_nothing_new_takes_what_the_last_one_took() {
        let (_root, paths, dpkg) = machine();
        let held = ensure_taken(&paths, &dpkg).unwrap();
        assert_eq!(ensure_taken(&paths, &dpkg).unwrap(), held);
        assert_eq!(numbers(&paths), [1]);
    }

    #[test]
    fn a_hub_that_starts_while_dpkg_unpacks_gets_the_files_of_before() {
        let (_root, paths, dpkg) = machine();
        let held = ensure_taken(&paths, &dpkg).unwrap();
        replace(&paths, "second");
        dpkg.answer("dpkg-query", 0, "half-installed");
        assert_eq!(ensure_taken(&paths, &dpkg).unwrap(), held);
        dpkg.answer("dpkg-query", 0, "unpacked");
        assert_ne!(ensure_taken(&paths, &dpkg).unwrap(), held);
    }

    #[test]
    fn nothing_is_taken_of_a_first_installation_that_is_under_way() {
        let (_root, paths, dpkg) = machine();
        dpkg.answer("dpkg-query", 0, "half-installed");
        assert_eq!(ensure_taken(&paths, &dpkg).unwrap(), None);
        assert!(!paths.held().exists());
    }

    #[test]
    fn what_a_killed_start_left_is_no_hindrance_and_goes() {
        let (_root, paths, dpkg) = machine();
        fs::create_dir_all(paths.held().join("unfinished/hub/lib")).unwrap();
        fs::write(paths.held().join("unfinished/hub/lib/half"), "").unwrap();
        let held = ensure_taken(&paths, &dpkg).unwrap().unwrap();
        assert_eq!(contents(&held), ["first", "first"]);
        assert!(!held.join("hub/lib/half").exists());
        fs::create_dir_all(paths.held().join("unfinished")).unwrap();
        ensure_old_absent(&paths).unwrap();
        assert_eq!(files::list_folder(&paths.held()).unwrap(), [held]);
    }

    #[test]
    fn only_the_newest_is_kept() {
        let (_root, paths, dpkg) = machine();
        for version in 0..11 {
            replace(&paths, &version.to_string());
            ensure_taken(&paths, &dpkg).unwrap();
            // What worked last, and what may not work yet.
            assert!(numbers(&paths).len() <= 2);
        }
        assert_eq!(numbers(&paths), [1, 11]);
        ensure_old_absent(&paths).unwrap();
        let held = paths.held().join("11");
        assert_eq!(contents(&held), ["10", "10"]);
        assert_eq!(files::list_folder(&paths.held()).unwrap(), [held]);
        ensure_old_absent(&paths).unwrap();
    }

    #[test]
    fn a_machine_on_which_nothing_was_held_has_nothing_to_remove() {
        let (_root, paths, _) = machine();
        ensure_old_absent(&paths).unwrap();
        assert!(!paths.held().exists());
    }
}
