//! The kernel of a named environment: the specification by which Jupyter starts it.
//!
//! It is made after the one that the environment itself brings (`share/jupyter/kernels`), and stands where `JUPYTER_PATH`
//! of everybody's servers leads. Servers read it at each listing, so that a new kernel appears in those that run.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tljh_machine::{Paths, files};

use super::EnvironmentName;
use crate::engine::Engine;
use crate::error::UserEnvError;

const FILE: &str = "kernel.json";
/// Jupyter's name for ipykernel's.
const PYTHON: &str = "python3";

/// A kernel specification (jupyter_client, "Kernel specs").
#[derive(Debug, Clone)]
pub struct Spec {
    content: Map<String, Value>,
    source: PathBuf,
}

/// The kernel that the environment in `folder` brings, which everybody knows as `link`.
///
/// # Errors
/// It brings none, or one that cannot be read.
pub fn read_spec(folder: &Path, link: &Path, title: &str) -> Result<Spec, UserEnvError> {
    read(&native(folder)?, link, link, title)
}

/// Its kernel of Python, started from the folder itself, before there is the link.
///
/// # Errors
/// It brings none, or one that cannot be read.
pub fn read_trial(folder: &Path, link: &Path) -> Result<Spec, UserEnvError> {
    let python = folder.join("share/jupyter/kernels").join(PYTHON);
    if !python.join(FILE).is_file() {
        return Err(UserEnvError::NoKernel {
            path: folder.to_path_buf(),
        });
    }
    read(&python, link, folder, "trial")
}

/// The specification in `source`, with programs of the environment that is known as `link` started through `path`.
fn read(source: &Path, link: &Path, path: &Path, title: &str) -> Result<Spec, UserEnvError> {
    let text = files::read(&source.join(FILE))?;
    let mut content: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| UserEnvError::Stamp {
            path: source.join(FILE),
            source: error,
        })?;
    let mut arguments = strings(content.get("argv"));
    if let Some(program) = arguments.first_mut() {
        *program = through(program, link, path);
    }
    content.insert("argv".into(), json!(arguments));
    content.insert("display_name".into(), json!(title));
    // `!pip list` in a notebook is then about this environment; Jupyter puts its own PATH in.
    let mut settings = match content.remove("env") {
        Some(Value::Object(settings)) => settings,
        _ => Map::new(),
    };
    settings.insert(
        "PATH".into(),
        json!(format!("{}:${{PATH}}", path.join("bin").display())),
    );
    // What people have for another Python of the same version stays out; virtual environments leave it out anyway.
    settings.insert("PYTHONNOUSERSITE".into(), json!("1"));
    content.insert("env".into(), Value::Object(settings));
    Ok(Spec {
        content,
        source: source.to_path_buf(),
    })
}

impl Spec {
    /// Has it started by another program.
    pub fn run_with(&mut self, program: &[&str]) {
        let mut arguments: Vec<String> = program.iter().map(ToString::to_string).collect();
        arguments.extend(strings(self.content.get("argv")));
        self.content.insert("argv".into(), json!(arguments));
    }

    /// As it stands in `kernel.json`.
    pub fn render(&self) -> String {
        format!("{:#}\n", Value::Object(self.content.clone()))
    }
}

/// Shows everybody the kernel of the environment at `link`, whose active generation is in `folder`. A kernel whose file is
/// not written to the end is not shown.
///
/// # Errors
/// It cannot be written.
pub fn ensure_shown(
    paths: &Paths,
    name: &EnvironmentName,
    folder: &Path,
    link: &Path,
    title: &str,
) -> Result<(), UserEnvError> {
    let spec = read_spec(folder, link, title)?;
    let target = shown(paths, name);
    let text = spec.render();
    if files::read_optional(&target.join(FILE))?.as_deref() == Some(text.as_str()) {
        return Ok(());
    }
    for folder in [paths.shared_jupyter(), all_shown(paths), target.clone()] {
        files::ensure_folder(&folder, 0o755)?;
    }
    for path in files::list_folder(&spec.source)? {
        let picture = path.file_name().unwrap_or_default();
        if picture.to_string_lossy().starts_with("logo-") {
            let content = fs::read(&path).map_err(|source| UserEnvError::FileSystem {
                path: path.clone(),
                source,
            })?;
            files::write_atomically(&target.join(picture), &content, 0o644)?;
        }
    }
    Ok(files::write_atomically(
        &target.join(FILE),
        text.as_bytes(),
        0o644,
    )?)
}

/// Takes the kernel of `name` away; absent is fine.
///
/// # Errors
/// It cannot be removed.
pub fn ensure_absent(paths: &Paths, name: &EnvironmentName) -> Result<(), UserEnvError> {
    let target = shown(paths, name);
    // Without it the rest is no kernel.
    files::ensure_absent(&target.join(FILE))?;
    Ok(files::ensure_tree_absent(&target)?)
}

/// The names of the kernels that are shown.
///
/// # Errors
/// Their folder cannot be read.
pub fn all(paths: &Paths) -> Result<Vec<EnvironmentName>, UserEnvError> {
    names_in(&all_shown(paths))
}

/// Whether everybody's environment brings a kernel of that name, which another one would hide.
///
/// # Errors
/// Its kernels cannot be read.
pub fn is_everybodys(paths: &Paths, name: &EnvironmentName) -> Result<bool, UserEnvError> {
    let names = names_in(&paths.user_environment().join("share/jupyter/kernels"))?;
    // Jupyter's name for the kernel that needs no file.
    Ok(name.folded() == PYTHON || names.iter().any(|one| one.folded() == name.folded()))
}

fn all_shown(paths: &Paths) -> PathBuf {
    paths.shared_jupyter().join("kernels")
}

fn shown(paths: &Paths, name: &EnvironmentName) -> PathBuf {
    all_shown(paths).join(name.folded())
}

/// Folders whose names are no kernel's are passed over.
fn names_in(folder: &Path) -> Result<Vec<EnvironmentName>, UserEnvError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let paths = files::list_folder(folder)?;
    let names = paths
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    Ok(names.collect())
}

/// The folder of the kernel that an environment brings: in one of conda's another language's, which somebody asked for;
/// else Python's.
fn native(folder: &Path) -> Result<PathBuf, UserEnvError> {
    let kernels = folder.join("share/jupyter/kernels");
    let mut found = if kernels.is_dir() {
        files::list_folder(&kernels)?
    } else {
        Vec::new()
    };
    found.retain(|kernel| kernel.join(FILE).is_file());
    let is_pythons = |kernel: &PathBuf| kernel.file_name().is_some_and(|name| name == PYTHON);
    let is_condas = Engine::of(folder) == Engine::Conda;
    found.sort_by_key(|kernel| is_pythons(kernel) == is_condas);
    found
        .into_iter()
        .next()
        .ok_or_else(|| UserEnvError::NoKernel {
            path: folder.to_path_buf(),
        })
}

/// The program of a specification: a name, or a path below what everybody knows as `link`.
fn through(program: &str, link: &Path, path: &Path) -> String {
    let program = Path::new(program);
    let through = match program.strip_prefix(link) {
        Ok(below) => path.join(below),
        Err(_) if program.is_absolute() => program.to_path_buf(),
        Err(_) => path.join("bin").join(program),
    };
    through.display().to_string()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let values = value.and_then(Value::as_array).into_iter().flatten();
    values
        .filter_map(|value| value.as_str().map(str::to_string))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(spec: &str) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("1");
        let kernel = folder.join("share/jupyter/kernels/python3");
        fs::create_dir_all(&kernel).unwrap();
        fs::write(kernel.join(FILE), spec).unwrap();
        fs::write(kernel.join("logo-svg.svg"), "<svg/>").unwrap();
        (root, folder)
    }

    #[test]
    fn a_kernel_is_started_through_the_link_with_its_own_programs_first() {
        let (root, folder) = environment(
            r#"{"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Python 3 (ipykernel)", "language": "python", "metadata": {"debugger": true}}"#,
        );
        let paths = Paths::under(root.path());
        let (name, link) = ("Stats".parse().unwrap(), Path::new("/opt/tljh/envs/Stats"));
        for _ in 0..2 {
            ensure_shown(&paths, &name, &folder, link, "Statistics").unwrap();
        }
        let shown = root.path().join("opt/tljh/envs/.jupyter/kernels/stats");
        let written: Value =
            serde_json::from_str(&files::read(&shown.join(FILE)).unwrap()).unwrap();
        assert_eq!(
            written,
            json!({
                "argv": ["/opt/tljh/envs/Stats/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Statistics",
                "env": {"PATH": "/opt/tljh/envs/Stats/bin:${PATH}", "PYTHONNOUSERSITE": "1"},
                "language": "python",
                "metadata": {"debugger": true},
            })
        );
        assert_eq!(files::read(&shown.join("logo-svg.svg")).unwrap(), "<svg/>");
        assert_eq!(all(&paths).unwrap(), ["stats".parse().unwrap()]);
        ensure_absent(&paths, &name).unwrap();
        ensure_absent(&paths, &name).unwrap();
        assert_eq!(all(&paths).unwrap(), []);
    }

    #[test]
    fn a_program_of_the_environment_is_found_where_it_is_and_another_one_stays() {
        let (link, folder) = (Path::new("/e/x"), Path::new("/g/1"));
        assert_eq!(
            through("/e/x/lib/R/bin/R", link, folder),
            "/g/1/lib/R/bin/R"
        );
        assert_eq!(through("/usr/bin/env", link, folder), "/usr/bin/env");
        assert_eq!(through("python", link, link), "/e/x/bin/python");
    }

    #[test]
    fn kernels_that_everybody_has_are_not_hidden() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let is_everybodys = |name: &str| is_everybodys(&paths, &name.parse().unwrap()).unwrap();
        assert!(is_everybodys("Python3") && !is_everybodys("bash"));
        fs::create_dir_all(paths.user_environment().join("share/jupyter/kernels/bash")).unwrap();
        assert!(is_everybodys("Bash"));
    }
}
