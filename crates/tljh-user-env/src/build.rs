//! A generation made from the bundle alone, and what every generation has of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tljh_machine::files::FileError;
use tljh_machine::{Invocation, Runner, files};

use crate::bundle::Bundle;
use crate::engine::Engine;
use crate::error::UserEnvError;
use crate::generations::Generations;
use crate::lock::{self, Entry};
use crate::manifest::{Package, read_manifest, site_packages};
use crate::origin::defaults;
use crate::python::{python_version, system_python};
use crate::record::Record;
use crate::uv::{Uv, on};

/// Environments that were made before there were generations have it while they are being made ...
pub const MARKER: &str = ".tljh-unfinished";
/// ... and this once they are complete; in a generation it tells such a version of this program that all is well.
pub const STAMP: &str = ".tljh-environment.json";
/// Cache of the wheels of the bundle, which are there anyway.
pub const BUNDLE_CACHE: &str = "bundle-cache";

const HOOK: &str = include_str!("../python/tljh_generation.py");

/// Makes a generation from `bundle`. Reaches no index, and switches nothing.
///
/// # Errors
/// See [`UserEnvError`]; the generation is then unfinished.
pub fn build(
    generations: &Generations,
    runner: &dyn Runner,
    bundle: &Bundle,
) -> Result<Record, UserEnvError> {
    check_space(generations.root(), bundle.installed_size()?)?;
    let mut record = generations.begin(runner, Engine::Venv, None, BTreeSet::new())?;
    fill(generations, runner, bundle, &mut record)?;
    generations.finish(record)
}

/// Fills the empty folder of `record` with what `bundle` has.
///
/// # Errors
/// See [`UserEnvError`].
pub fn fill(
    generations: &Generations,
    runner: &dyn Runner,
    bundle: &Bundle,
    record: &mut Record,
) -> Result<(), UserEnvError> {
    let folder = generations.folder(record.number);
    let cache = generations.ensure_cache(runner, BUNDLE_CACHE)?;
    let uv = Uv::new(runner, bundle, cache);
    make_empty(&uv, &folder, generations.link())?;
    uv.run(
        &offline(&uv, &["pip", "install", "--require-hashes"])
            .args(wheels_alone(bundle))
            .args(on(&folder))
            .arg("--requirements")
            .arg(bundle.requirements()),
    )?;
    finish_files(&folder)?;
    let packages = read_manifest(&folder)?;
    record.bundle = Some(installed_of(&bundle.entries()?, &packages));
    record.defaults = Some(defaults(packages.iter()));
    Ok(())
}

/// An environment of the system's Python without packages, but with what every generation has of ours. None of it is on
/// disk before the generation is finished, as that of the packages.
///
/// # Errors
/// uv failed, or a file cannot be written.
pub fn make_empty(uv: &Uv<'_>, folder: &Path, link: &Path) -> Result<(), UserEnvError> {
    uv.run(
        &offline(uv, &["venv", "--allow-existing", "--system-site-packages"])
            .arg("--python")
            .arg(system_python())
            .arg(folder),
    )?;
    name_the_link(folder, link)?;
    // Before the first program is installed: programs name the interpreter as the hook tells it.
    put_hooks(folder, files::write_unsynced)?;
    let stamp = json!({"engine": Engine::Venv, "python": python_version(folder)?});
    Ok(files::write_unsynced(
        &folder.join(STAMP),
        format!("{stamp}\n").as_bytes(),
        0o644,
    )?)
}

/// Removes what uv leaves for itself; its lock is writable by everybody.
///
/// # Errors
/// One cannot be removed.
pub fn drop_leftovers(environment: &Path) -> Result<(), UserEnvError> {
    for leftover in [".lock", ".gitignore", "CACHEDIR.TAG"] {
        files::ensure_absent(&environment.join(leftover))?;
    }
    Ok(())
}

/// What an environment has besides its packages once they are installed.
///
/// # Errors
/// A file cannot be written or removed.
pub fn finish_files(folder: &Path) -> Result<(), UserEnvError> {
    drop_leftovers(folder)?;
    ensure_lab_defaults(folder)
}

/// Those entries of a lock that are installed at the version of the lock.
pub fn installed_of(entries: &[Entry], packages: &[Package]) -> BTreeMap<String, String> {
    let is_there = |entry: &&Entry| {
        packages
            .iter()
            .any(|package| package.name == entry.name && package.version == entry.version)
    };
    lock::versions(entries.iter().filter(is_there))
}

/// uv that reaches no index and reads no configuration of others.
pub fn offline(uv: &Uv<'_>, arguments: &[&str]) -> Invocation {
    uv.invocation(arguments)
        .arg("--quiet")
        .env("UV_NO_CONFIG", "1")
        .env("UV_OFFLINE", "1")
}

/// Packages from the bundle's wheels and from nowhere else.
pub fn wheels_alone(bundle: &Bundle) -> [PathBuf; 3] {
    ["--no-index".into(), "--find-links".into(), bundle.wheels()]
}

/// Refuses to begin what would not fit.
///
/// # Errors
/// Fewer than `needed` bytes are free on the file system of `folder`.
pub fn check_space(folder: &Path, needed: u64) -> Result<(), UserEnvError> {
    let file_system =
        nix::sys::statvfs::statvfs(folder).map_err(|errno| UserEnvError::FileSystem {
            path: folder.to_path_buf(),
            source: errno.into(),
        })?;
    let free = file_system.blocks_available() * file_system.fragment_size();
    if free >= needed {
        return Ok(());
    }
    Err(UserEnvError::NoSpace {
        path: folder.to_path_buf(),
        needed: needed.div_ceil(1_000_000),
        free: free / 1_000_000,
    })
}

/// Our lines that Python runs when it starts (site, "path configuration files").
///
/// `tljh-user-site.pth`, in virtual environments: people may `pip install --user`, and see nothing of the distribution's own Python packages.
/// Python ties the two together (`include-system-site-packages` of pyvenv.cfg); emptying `site.PREFIXES` while the
/// environment's own folder is read leaves only the user's (`site.venv` in Lib/site.py).
///
/// `zz-tljh-generation.pth`: see `tljh_generation.py`; last, so that it sees what others added.
///
/// # Errors
/// One cannot be written.
pub fn ensure_hooks(environment: &Path) -> Result<(), UserEnvError> {
    put_hooks(environment, files::write_atomically)
}

fn put_hooks(
    environment: &Path,
    write: impl Fn(&Path, &[u8], u32) -> Result<(), FileError>,
) -> Result<(), UserEnvError> {
    let site = site_packages(environment)?;
    let user_site = match Engine::of(environment) {
        Engine::Venv => "import site; site.PREFIXES.clear()\n",
        Engine::Conda => "",
    };
    for (name, text) in [
        ("tljh_generation.py", HOOK),
        ("tljh-user-site.pth", user_site),
        (
            "zz-tljh-generation.pth",
            "import tljh_generation; tljh_generation.pin()\n",
        ),
    ] {
        let path = site.join(name);
        if files::read_optional(&path)?.as_deref() != Some(text) {
            write(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// Scripts that activate the environment name its folder, an unfinished generation; people know it by the link.
///
/// # Errors
/// One cannot be read or written.
pub fn name_the_link(folder: &Path, link: &Path) -> Result<(), UserEnvError> {
    let (own, known) = (folder.display().to_string(), link.display().to_string());
    for path in files::list_folder(&folder.join("bin"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("activate") {
            let text = files::read(&path)?.replace(&own, &known);
            files::write_unsynced(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// JupyterLab asks every person whether to fetch news from elsewhere; a class has no use for it.
///
/// # Errors
/// It cannot be written.
pub fn ensure_lab_defaults(environment: &Path) -> Result<(), UserEnvError> {
    let folder: PathBuf = environment.join("share/jupyter/lab/settings");
    fs::create_dir_all(&folder).map_err(|source| UserEnvError::FileSystem {
        path: folder.clone(),
        source,
    })?;
    let defaults = r#"{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}"#;
    Ok(files::write_unsynced(
        &folder.join("overrides.json"),
        format!("{defaults}\n").as_bytes(),
        0o664,
    )?)
}
