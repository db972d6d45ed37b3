//! `tljh-config edit`, in the manner of visudo.

mod editor;
mod workspace;

use tljh_settings::edit::Document;
use tljh_settings::store::Held;
use tljh_settings::{Severity, check};
use tljh_terminal::ask;

use super::change::tell;
use super::inspect::{inspect, refuse_errors};
use super::{Target, print};
use crate::difference;
use crate::error::Error;
use editor::Editor;
use workspace::Workspace;

/// Lets the user edit a copy of the file, checks it, and replaces the file after a yes.
///
/// The file is locked all the while, so it cannot change under the copy.
pub fn run(target: &Target) -> Result<(), Error> {
    let store = target.store()?;
    let editor = Editor::choose()?;
    let held = store.hold()?;
    let text = store.read_text()?;
    let workspace = Workspace::prepare(store.path(), &text)?;
    let session = Session {
        target,
        held,
        workspace,
        text,
    };
    session.run(&editor)
}

/// What the user wants done with an edited copy.
enum Next {
    Write,
    Edit,
    Discard,
    Keep,
    /// The difference was all that was asked for.
    Shown,
}

struct Session<'target> {
    target: &'target Target,
    held: Held<'target>,
    workspace: Workspace,
    /// The file's text, which the lock keeps as it is.
    text: String,
}

impl Session<'_> {
    fn run(self, editor: &Editor) -> Result<(), Error> {
        self.workspace.write(&self.start()?)?;
        loop {
            if let Err(error) = editor.edit(&self.workspace.file()) {
                self.workspace.clear()?;
                return Err(error);
            }
            let text = self.workspace.read()?;
            if text == self.text {
                self.workspace.finish()?;
                log::info!("nothing is changed");
                return Ok(());
            }
            match self.judge(&text)? {
                Next::Write => return self.write(&text),
                Next::Edit => {}
                Next::Shown => return self.workspace.clear(),
                Next::Discard => {
                    self.workspace.finish()?;
                    return Err(Error::Discarded {
                        path: self.target.store.path().to_path_buf(),
                    });
                }
                Next::Keep => {
                    return Err(Error::DraftKept {
                        draft: self.workspace.keep_draft()?,
                        again: format!("{} edit", self.target.program()),
                    });
                }
            }
        }
    }

    /// What the editor begins with: the file, or the draft of an earlier edit.
    fn start(&self) -> Result<String, Error> {
        let Some(draft) = self.workspace.read_draft()? else {
            return Ok(self.text.clone());
        };
        let question = format!(
            "`{}` holds a draft of an earlier edit: (c)ontinue with it, (d)iscard it? ",
            self.workspace.draft().display()
        );
        match ask(&question, "cd", None).map_err(Error::Input)? {
            Some('c') => Ok(draft),
            Some(_) => {
                self.workspace.remove_draft()?;
                Ok(self.text.clone())
            }
            None => {
                self.workspace.clear()?;
                Err(Error::DraftKept {
                    draft: self.workspace.draft(),
                    again: format!("{} edit", self.target.program()),
                })
            }
        }
    }

    fn judge(&self, text: &str) -> Result<Next, Error> {
        if let Err(error) = self.refuse_errors(text) {
            log::error!("{error}");
            let question = "what now: (e)dit again, (d)iscard, (k)eep a draft? ";
            return Ok(next(ask(question, "edk", None).map_err(Error::Input)?));
        }
        match (Document::parse(&self.text), Document::parse(text)) {
            (Ok(before), Ok(after)) => {
                let path = self.target.store.path();
                print(&difference::unified(path, &before, &after))?;
            }
            _ => log::info!("the file was no valid YAML before, so no difference is shown"),
        }
        if self.target.dry_run {
            log::info!("dry run: nothing is written");
            return Ok(Next::Shown);
        }
        let question = "write it: (y)es, (e)dit again, (d)iscard, (k)eep a draft? ";
        Ok(next(ask(question, "yedkn", None).map_err(Error::Input)?))
    }

    /// The error that shows what is wrong with `text`. Unknown keys that the file has already are not.
    fn refuse_errors(&self, text: &str) -> Result<(), Error> {
        if !self.target.validate {
            return Ok(Document::parse(text).map(drop)?);
        }
        let known = Document::parse(&self.text)
            .map(|before| check(before.value()).unknown)
            .unwrap_or_default();
        let mut inspection = inspect(text);
        inspection
            .diagnostics
            .retain(|found| !known.iter().any(|unknown| unknown.key == found.key));
        for found in &inspection.diagnostics {
            if found.severity == Severity::Warning {
                log::warn!("line {}: {}", found.line, found.message);
            }
        }
        refuse_errors(&self.target.store.path().display().to_string(), &inspection)
    }

    fn write(self, text: &str) -> Result<(), Error> {
        self.held.replace(text)?;
        self.workspace.finish()?;
        log::info!("`{}` is written", self.target.store.path().display());
        if let Ok(after) = Document::parse(text) {
            let before = Document::parse(&self.text);
            let before = before.map_or(serde_json::Value::Null, |before| before.value().clone());
            tell(&before, after.value());
        }
        Ok(())
    }
}

/// The meaning of an answer; the end of the input discards.
fn next(answer: Option<char>) -> Next {
    match answer {
        Some('y') => Next::Write,
        Some('e') => Next::Edit,
        Some('k') => Next::Keep,
        _ => Next::Discard,
    }
}
