//! Whether an environment is what its metadata says, told mostly without starting Python.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::UserEnvError;
use crate::manifest::{self, Difference, conda, differences, read_manifest, site_packages};
use crate::record::Record;
use crate::uv::Uv;
use crate::verify::SERVER;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Health {
    /// Why its Python does not start.
    pub python: Option<String>,
    /// Packages without which there are no servers.
    pub absent: Vec<String>,
    /// Packages of which files are missing or emptied.
    pub damaged: Vec<Damage>,
    /// How many files and folders not everybody can read.
    pub closed: usize,
    /// One of them.
    pub closed_example: Option<PathBuf>,
    /// Requirements of packages that are not met; servers may run all the same.
    pub conflicts: Vec<String>,
    /// What was changed by hand since the generation was made.
    pub by_hand: Vec<Difference>,
}

/// A package whose files are not all there.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its name.
    pub package: String,
    /// How many of its files are missing or emptied.
    pub files: usize,
    /// One of them, below the environment.
    pub example: String,
}

/// What a look at one file told.
struct Seen {
    length: u64,
    mode: u32,
    is_folder: bool,
}

impl Health {
    /// Whether servers and kernels have what they need.
    pub fn is_good(&self) -> bool {
        self.python.is_none()
            && self.absent.is_empty()
            && self.damaged.is_empty()
            && self.closed == 0
    }

    /// What is wrong, a line each.
    pub fn problems(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(reason) = &self.python {
            lines.push(format!("its Python does not start: {reason}"));
        }
        for name in &self.absent {
            lines.push(format!("`{name}`, which servers need, is not installed"));
        }
        for damage in &self.damaged {
            lines.push(format!(
                "{} of the files of `{}` are missing or empty, such as `{}`",
                damage.files, damage.package, damage.example
            ));
        }
        if let Some(example) = &self.closed_example {
            lines.push(format!(
                "{} files or folders cannot be read by everybody, such as `{}`",
                self.closed,
                example.display()
            ));
        }
        lines
    }
}

/// Looks at the environment in `folder`, of which `record` tells what it was.
///
/// # Errors
/// The environment cannot be read at all.
pub fn examine(folder: &Path, record: &Record, uv: &Uv<'_>) -> Result<Health, UserEnvError> {
    // uv takes about as long to start a Python and to read the metadata as we to look at the files.
    let (read, conflicts) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_files(folder, record));
        let conflicts = uv.conflicts(folder);
        (reading.join(), conflicts)
    });
    let mut health = match read {
        Ok(health) => health?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    match conflicts {
        Ok(conflicts) => health.conflicts = conflicts,
        Err(error) => health.python = Some(error.to_string()),
    }
    health.python = health.python.or(why_python_does_not_start(folder)?);
    Ok(health)
}

/// What files and metadata tell.
fn read_files(folder: &Path, record: &Record) -> Result<Health, UserEnvError> {
    let mut seen = HashMap::new();
    look(folder, folder, &mut seen);
    let closed = |seen: &Seen| {
        let needed = if seen.is_folder { 0o005 } else { 0o004 };
        seen.mode & needed != needed
    };
    let mut examples: Vec<&PathBuf> = seen
        .iter()
        .filter(|(_, seen)| closed(seen))
        .map(|(path, _)| path)
        .collect();
    examples.sort();
    let packages = read_manifest(folder)?;
    let is_there = |name: &str| packages.iter().any(|package| package.is(name));
    Ok(Health {
        damaged: damages(folder, &seen)?,
        closed: examples.len(),
        closed_example: examples.first().map(|path| folder.join(path)),
        absent: SERVER
            .into_iter()
            .filter(|name| !is_there(name))
            .map(str::to_string)
            .collect(),
        by_hand: differences(&record.packages, &packages),
        ..Health::default()
    })
}

/// Packages are made for one version of Python, and the system's may have become another one.
///
/// # Errors
/// The environment cannot be read.
pub fn why_python_does_not_start(folder: &Path) -> Result<Option<String>, UserEnvError> {
    let site = site_packages(folder)?;
    let wanted = site.parent().and_then(Path::file_name).unwrap_or_default();
    let Ok(real) = fs::canonicalize(folder.join("bin/python")) else {
        return Ok(None);
    };
    let found = real.file_name().unwrap_or_default();
    let is_versioned = found.to_string_lossy().starts_with("python3.");
    Ok((is_versioned && found != wanted).then(|| {
        format!(
            "the packages are made for {}, and the system has {}",
            wanted.display(),
            found.display()
        )
    }))
}

/// Opens what a strict umask closed: everybody may read, the group may write. Files that are shared with other
/// generations are opened there too.
///
/// # Errors
/// A mode cannot be changed.
pub fn open_up(folder: &Path) -> Result<usize, UserEnvError> {
    let mut seen = HashMap::new();
    let mut opened = 0;
    // A folder that was closed to us is read once it is open; root is not stopped by modes.
    look(folder, folder, &mut seen);
    for (path, seen) in seen {
        let wanted = if seen.is_folder {
            0o775
        } else if seen.mode & 0o100 != 0 {
            0o555
        } else {
            0o444
        };
        let mode = seen.mode | wanted;
        if seen.mode & 0o555 & wanted == wanted & 0o555 {
            continue;
        }
        let path = folder.join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .map_err(|source| UserEnvError::FileSystem { path, source })?;
        opened += 1;
    }
    Ok(opened)
}

/// Every file and folder below `folder`, by its path below `root`; links are left out. What cannot be read is not seen.
fn look(root: &Path, folder: &Path, seen: &mut HashMap<PathBuf, Seen>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_symlink() {
            continue;
        }
        let path = entry.path();
        let below = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        let found = Seen {
            length: metadata.len(),
            mode: metadata.permissions().mode() & 0o7777,
            is_folder: metadata.is_dir(),
        };
        seen.insert(below, found);
        if metadata.is_dir() {
            look(root, &path, seen);
        }
    }
}

fn damages(folder: &Path, seen: &HashMap<PathBuf, Seen>) -> Result<Vec<Damage>, UserEnvError> {
    let site = site_packages(folder)?;
    let site = site.strip_prefix(folder).unwrap_or(&site).to_path_buf();
    let mut damages = condas_damages(folder, seen)?;
    for metadata in manifest::metadata_folders(folder)? {
        let Ok(record) = fs::read_to_string(metadata.join("RECORD")) else {
            continue;
        };
        let lost: Vec<PathBuf> = record
            .lines()
            .filter_map(recorded)
            .map(|(path, length)| (below(&site, path), length))
            .filter(|(path, length)| match seen.get(path) {
                Some(seen) => seen.length == 0 && *length > 0,
                None => fs::symlink_metadata(folder.join(path)).is_err(),
            })
            .map(|(path, _)| path)
            .collect();
        if let Some(example) = lost.first() {
            let name = metadata.file_stem().unwrap_or_default().to_string_lossy();
            damages.push(Damage {
                package: manifest::normalize(name.split('-').next().unwrap_or_default()),
                files: lost.len(),
                example: example.display().to_string(),
            });
        }
    }
    Ok(damages)
}

/// Of conda's packages, those that have no metadata of Python's: libraries and programs.
fn condas_damages(
    folder: &Path,
    seen: &HashMap<PathBuf, Seen>,
) -> Result<Vec<Damage>, UserEnvError> {
    let is_lost = |file: &&String| {
        !seen.contains_key(Path::new(file.as_str()))
            && !file.ends_with(".pyc")
            && fs::symlink_metadata(folder.join(file)).is_err()
    };
    let mut damages = Vec::new();
    for package in conda::installed(folder)? {
        if package.metadata_folders().next().is_some() {
            continue;
        }
        let lost: Vec<&String> = package.files.iter().filter(is_lost).collect();
        if let Some(example) = lost.first() {
            damages.push(Damage {
                files: lost.len(),
                example: example.to_string(),
                package: package.name.clone(),
            });
        }
    }
    Ok(damages)
}

/// Path and size of a line of RECORD (PEP 376); bytecode comes and goes.
fn recorded(line: &str) -> Option<(&str, u64)> {
    let mut fields = line.rsplitn(3, ',');
    let length = fields.next()?.parse().unwrap_or(0);
    let path = fields.nth(1)?;
    let path = path
        .strip_prefix('"')
        .and_then(|path| path.strip_suffix('"'))
        .unwrap_or(path);
    (!path.contains("__pycache__") && !path.starts_with('/')).then_some((path, length))
}

/// `path`, which is relative to `site`, relative to the environment.
fn below(site: &Path, path: &str) -> PathBuf {
    let mut whole = site.to_path_buf();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_record_name_files_below_the_environment() {
        let site = Path::new("lib/python3.13/site-packages");
        let path = |line: &str| recorded(line).map(|(path, length)| (below(site, path), length));
        assert_eq!(path("a/b.py,sha256=x,12"), Some((site.join("a/b.py"), 12)));
        assert_eq!(
            path("../../../bin/a,sha256=x,3"),
            Some((PathBuf::from("bin/a"), 3))
        );
        assert_eq!(path("\"a,b.py\",,"), Some((site.join("a,b.py"), 0)));
        assert_eq!(path("a/__pycache__/b.pyc,,"), None);
        assert_eq!(path("/etc/passwd,,"), None);
    }

    #[test]
    fn what_a_strict_umask_closed_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let (folder, file) = (root.path().join("a"), root.path().join("a/run"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        set(&file, 0o700);
        set(&folder, 0o700);
        assert_eq!(open_up(root.path()).unwrap(), 2);
        assert_eq!((mode(&folder), mode(&file)), (0o775, 0o755));
        assert_eq!(open_up(root.path()).unwrap(), 0);
    }
}
