//! Copies of whole folders that share with their source what they can.

use std::fs::{self, DirEntry, File, FileTimes, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::files::{self, FileError, failed};

/// Fills the folder `target`, which exists and is empty, with all that is in `source`.
///
/// Where the file system has reflinks (FICLONE), every file becomes one: the copy costs no space, and neither side
/// sees what is later written to the other. Elsewhere files for which `may_share` says so (it is given the path below
/// `source`) become hard links, and are shared for good; who changes one has to put another file in its place. All
/// others are copied, with mode and time. Folders are made anew: they have the rights that `target` passes on. Links
/// are copied as they are; sockets and the like are left out.
///
/// # Errors
/// The first file that cannot be read or written; `target` then holds a part.
pub fn clone_tree(
    source: &Path,
    target: &Path,
    may_share: &dyn Fn(&Path) -> bool,
) -> Result<(), FileError> {
    clone_tree_watched(source, target, may_share, &mut || Ok(()))
}

/// As [`clone_tree`]; `each` is called before each file, and ends it by an error.
///
/// # Errors
/// As [`clone_tree`], and the one of `each`.
pub fn clone_tree_watched(
    source: &Path,
    target: &Path,
    may_share: &dyn Fn(&Path) -> bool,
    each: &mut dyn FnMut() -> io::Result<()>,
) -> Result<(), FileError> {
    let mut cloning = Cloning {
        source,
        may_share,
        each,
        reflinks: true,
        keeps_modes: false,
    };
    cloning.folder(source, target)
}

/// Fills the folder `target`, which exists and is empty, with hard links to all files that are in `source`: they stay
/// reachable here when others are put in their places there. Files that cannot be linked, such as those of another file
/// system, are copied. Folders get the mode that they have in `source`.
///
/// # Errors
/// The first file that cannot be linked, read or written; `target` then holds a part.
pub fn link_tree(source: &Path, target: &Path) -> Result<(), FileError> {
    let mut linking = Cloning {
        source,
        may_share: &|_| true,
        each: &mut || Ok(()),
        reflinks: false,
        keeps_modes: true,
    };
    linking.folder(source, target)
}

/// Whether `other`, made by [`link_tree`], still holds all that is in `folder`, and nothing else.
///
/// # Errors
/// A folder or file cannot be read.
pub fn is_linked_tree(folder: &Path, other: &Path) -> Result<bool, FileError> {
    let entries = files::list_folder(folder)?;
    let others = files::list_folder(other)?;
    if !entries
        .iter()
        .map(|path| path.file_name())
        .eq(others.iter().map(|path| path.file_name()))
    {
        return Ok(false);
    }
    for (path, other) in entries.iter().zip(&others) {
        if !is_linked(path, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_linked(path: &Path, other: &Path) -> Result<bool, FileError> {
    let metadata = |path: &Path| fs::symlink_metadata(path).map_err(failed("read", path));
    let (here, there) = (metadata(path)?, metadata(other)?);
    if here.file_type() != there.file_type() {
        return Ok(false);
    }
    if here.is_dir() {
        return Ok(here.mode() == there.mode() && is_linked_tree(path, other)?);
    }
    if here.is_symlink() {
        let target = |path: &Path| fs::read_link(path).map_err(failed("read", path));
        return Ok(target(path)? == target(other)?);
    }
    if here.dev() == there.dev() && here.ino() == there.ino() {
        return Ok(true);
    }
    // A copy, where there could be no link.
    let written = |file: &Metadata| (file.len(), file.mtime(), file.mtime_nsec(), file.mode());
    Ok(here.dev() != there.dev() && written(&here) == written(&there))
}

/// How many files are below `folder`, links left out; what cannot be read is not counted.
pub fn count_files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => count_files(&entry.path()),
            Ok(kind) => u64::from(kind.is_file()),
            Err(_) => 0,
        })
        .sum()
}

struct Cloning<'a> {
    source: &'a Path,
    may_share: &'a dyn Fn(&Path) -> bool,
    each: &'a mut dyn FnMut() -> io::Result<()>,
    /// Until the file system refuses one.
    reflinks: bool,
    /// Whether folders get the mode of the source's.
    keeps_modes: bool,
}

impl Cloning<'_> {
    fn folder(&mut self, source: &Path, target: &Path) -> Result<(), FileError> {
        for entry in fs::read_dir(source).map_err(failed("read", source))? {
            let entry = entry.map_err(failed("read", source))?;
            let new = target.join(entry.file_name());
            self.entry(&entry, &new)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, new: &Path) -> Result<(), FileError> {
        let old = entry.path();
        let kind = entry.file_type().map_err(failed("read", &old))?;
        if kind.is_dir() {
            fs::create_dir(new).map_err(failed("make", new))?;
            if self.keeps_modes {
                let mode = fs::metadata(&old)
                    .map_err(failed("read", &old))?
                    .permissions();
                fs::set_permissions(new, mode).map_err(failed("set the mode of", new))?;
            }
            self.folder(&old, new)
        } else if kind.is_symlink() {
            let link = fs::read_link(&old).map_err(failed("read", &old))?;
            symlink(link, new).map_err(failed("make", new))
        } else if kind.is_file() {
            self.file(&old, new)
        } else {
            Ok(())
        }
    }

    fn file(&mut self, old: &Path, new: &Path) -> Result<(), FileError> {
        (self.each)().map_err(failed("copy", old))?;
        let metadata = fs::symlink_metadata(old).map_err(failed("read", old))?;
        if self.reflinks {
            if reflink(old, new, &metadata).is_ok() {
                return Ok(());
            }
            files::ensure_absent(new)?;
            self.reflinks = false;
        }
        let below = old.strip_prefix(self.source).unwrap_or(old);
        // A file may have no more links than the file system can count.
        if (self.may_share)(below) && fs::hard_link(old, new).is_ok() {
            return Ok(());
        }
        copy(old, new, &metadata).map_err(failed("copy", old))
    }
}

fn reflink(old: &Path, new: &Path, metadata: &Metadata) -> io::Result<()> {
    let from = File::open(old)?;
    let to = create(new, metadata)?;
    rustix::fs::ioctl_ficlone(&to, &from)?;
    take_after(&to, metadata)
}

fn copy(old: &Path, new: &Path, metadata: &Metadata) -> io::Result<()> {
    let mut to = create(new, metadata)?;
    io::copy(&mut File::open(old)?, &mut to)?;
    take_after(&to, metadata)
}

fn create(path: &Path, metadata: &Metadata) -> io::Result<File> {
    let mode = metadata.permissions().mode() & 0o777;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Bytecode is valid for a source of the same time only.
fn take_after(file: &File, metadata: &Metadata) -> io::Result<()> {
    file.set_permissions(metadata.permissions())?;
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_files_stay_when_others_take_their_places() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("source"), root.path().join("target"));
        fs::create_dir_all(source.join("lib/deep")).unwrap();
        fs::set_permissions(source.join("lib"), fs::Permissions::from_mode(0o751)).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(source.join("lib/deep/module"), "old").unwrap();
        fs::write(source.join("other"), "other").unwrap();
        symlink("lib", source.join("lib64")).unwrap();
        link_tree(&source, &target).unwrap();
        assert!(is_linked_tree(&source, &target).unwrap());
        let mode = target.join("lib").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o751);

        let replace = |name: &str, content: &str| {
            fs::write(source.join("new"), content).unwrap();
            fs::rename(source.join("new"), source.join(name)).unwrap();
        };
        replace("lib/deep/module", "old");
        assert!(!is_linked_tree(&source, &target).unwrap());
        replace("lib/deep/module", "newer");
        assert_eq!(
            fs::read_to_string(target.join("lib/deep/module")).unwrap(),
            "old"
        );
    }

    #[test]
    fn a_linked_tree_with_more_or_less_in_it_is_another_one() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("source"), root.path().join("target"));
        for folder in [&source, &target] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(source.join("a"), "a").unwrap();
        symlink("a", source.join("b")).unwrap();
        link_tree(&source, &target).unwrap();
        for folder in [&source, &target] {
            fs::write(folder.join("more"), "").unwrap();
            assert!(!is_linked_tree(&source, &target).unwrap());
            fs::remove_file(folder.join("more")).unwrap();
            assert!(is_linked_tree(&source, &target).unwrap());
        }
        fs::remove_file(source.join("b")).unwrap();
        symlink("c", source.join("b")).unwrap();
        assert!(!is_linked_tree(&source, &target).unwrap());
    }

    #[test]
    fn a_clone_is_given_up_when_it_is_not_wanted_any_more() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("source"), root.path().join("target"));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&target).unwrap();
        for name in ["a", "b", "c"] {
            fs::write(source.join(name), name).unwrap();
        }
        let mut left = 2;
        let cloned = clone_tree_watched(&source, &target, &|_| true, &mut || {
            left -= 1;
            if left < 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(())
        });
        assert!(cloned.is_err());
        assert_eq!(count_files(&target), 2);
    }

    #[test]
    fn a_clone_is_the_same_and_shares_only_what_it_may() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("source"), root.path().join("target"));
        fs::create_dir_all(source.join("lib/deep")).unwrap();
        fs::create_dir(&target).unwrap();
        for (name, mode) in [("lib/deep/shared", 0o644), ("run", 0o755)] {
            fs::write(source.join(name), name).unwrap();
            fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("lib", source.join("lib64")).unwrap();
        clone_tree(&source, &target, &|path| path.starts_with("lib")).unwrap();
        for name in ["lib/deep/shared", "run"] {
            let (old, new) = (source.join(name), target.join(name));
            assert_eq!(fs::read(&new).unwrap(), name.as_bytes());
            let (old, new) = (old.metadata().unwrap(), new.metadata().unwrap());
            assert_eq!(old.permissions(), new.permissions());
            assert_eq!(old.modified().unwrap(), new.modified().unwrap());
        }
        assert_eq!(
            fs::read_link(target.join("lib64")).unwrap(),
            Path::new("lib")
        );
        let inode = |path: &Path| path.join("run").metadata().unwrap().ino();
        assert_ne!(inode(&source), inode(&target));
        assert_eq!((count_files(&source), count_files(&target)), (2, 2));
        fs::write(target.join("run"), "changed").unwrap();
        assert_eq!(fs::read(source.join("run")).unwrap(), b"run");
    }
}
