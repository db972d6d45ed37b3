//! Manual pages and shell completions, rendered from the types that parse the command line.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

/// A page or completion could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{}`", path.display())]
pub struct RenderError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Writes `man/*.8` (one page for the program and one for each visible subcommand) and
/// `completions/{bash,zsh,fish}/*` for `command` under `folder`, which is made if absent.
///
/// # Errors
/// The first file that could not be written.
pub fn render_docs(command: Command, folder: &Path) -> Result<(), RenderError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| RenderError { path, source }
    };
    let man = folder.join("man");
    std::fs::create_dir_all(&man).map_err(failed(&man))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    render_man_pages(&command, &man)?;

    let name = command.get_name().to_string();
    for (shell, file) in [
        (Shell::Bash, format!("bash/{name}")),
        (Shell::Zsh, format!("zsh/_{name}")),
        (Shell::Fish, format!("fish/{name}.fish")),
    ] {
        let path = folder.join("completions").join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, &name, &mut text);
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

fn render_man_pages(command: &Command, folder: &Path) -> Result<(), RenderError> {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .replace(' ', "-");
    let path = folder.join(format!("{name}.8"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().display_name(name))
        .section("8")
        .render(&mut page)
        .and_then(|()| std::fs::write(&path, page))
        .map_err(|source| RenderError { path, source })?;
    for subcommand in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        render_man_pages(subcommand, folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_completions_are_written_for_visible_subcommands_only() {
        let folder = tempfile::tempdir().unwrap();
        let command = Command::new("tljh-x")
            .subcommand(Command::new("show").about("Show"))
            .subcommand(Command::new("secret").hide(true));
        render_docs(command, folder.path()).unwrap();
        assert!(folder.path().join("man/tljh-x.8").exists());
        assert!(folder.path().join("man/tljh-x-show.8").exists());
        assert!(!folder.path().join("man/tljh-x-secret.8").exists());
        for file in ["bash/tljh-x", "zsh/_tljh-x", "fish/tljh-x.fish"] {
            assert!(folder.path().join("completions").join(file).exists());
        }
    }
}
