//! The private copy that an editor works on, and the draft that an earlier edit left.
//!
//! The copy lies in a folder beside the configuration, at a known place: what a killed edit leaves behind is
//! found by the next one and becomes the draft.

use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The paths beside one configuration. The caller holds its lock.
pub struct Workspace {
    folder: PathBuf,
    draft: PathBuf,
}

impl Workspace {
    /// Makes the folder, and turns what a killed edit left there into the draft, unless it is `text`.
    pub fn prepare(path: &Path, text: &str) -> Result<Self, Error> {
        let failed = |source| Error::Draft {
            path: path.to_path_buf(),
            source,
        };
        // An editor might take a relative name for an option.
        let path = std::path::absolute(path).map_err(failed)?;
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        let workspace = Self {
            folder: beside(".edit"),
            draft: beside(".draft"),
        };
        if let Some(metadata) = found(&workspace.folder)? {
            refuse_foreign(&workspace.folder, &metadata, metadata.is_dir())?;
            match workspace.read() {
                Ok(left) if left != text => {
                    workspace.keep_draft()?;
                }
                _ => workspace.clear()?,
            }
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&workspace.folder)
            .map_err(|source| Error::Draft {
                path: workspace.folder.clone(),
                source,
            })?;
        Ok(workspace)
    }

    /// The copy. Its name tells editors what it is.
    pub fn file(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// The draft, be it there or not.
    pub fn draft(&self) -> PathBuf {
        self.draft.clone()
    }

    /// Writes the copy.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        let path = self.file();
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| Error::Draft { path, source })
    }

    /// Reads the copy; bytes that are no UTF-8 become marks that no check lets through.
    pub fn read(&self) -> Result<String, Error> {
        let path = self.file();
        match fs::read(&path) {
            Ok(bytes) => Ok(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => format!("\0{}", String::from_utf8_lossy(error.as_bytes())),
            }),
            Err(source) => Err(Error::Draft { path, source }),
        }
    }

    /// The draft's text.
    pub fn read_draft(&self) -> Result<Option<String>, Error> {
        let path = &self.draft;
        let Some(metadata) = found(path)? else {
            return Ok(None);
        };
        refuse_foreign(path, &metadata, metadata.is_file())?;
        let bytes = fs::read(path).map_err(|source| Error::Draft {
            path: path.clone(),
            source,
        })?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Makes the copy the draft, in the place of an older one, and removes the folder.
    pub fn keep_draft(&self) -> Result<PathBuf, Error> {
        let copy = self.file();
        fs::set_permissions(&copy, Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&copy, &self.draft))
            .map_err(|source| Error::Draft {
                path: self.draft.clone(),
                source,
            })?;
        self.clear()?;
        Ok(self.draft())
    }

    /// Removes the draft.
    pub fn remove_draft(&self) -> Result<(), Error> {
        match fs::remove_file(&self.draft) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::Draft {
                path: self.draft.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Removes the folder with the copy and whatever the editor left beside it.
    pub fn clear(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::Draft {
                path: self.folder.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Removes the copy and the draft, both of no use once the edit is over.
    pub fn finish(&self) -> Result<(), Error> {
        self.clear()?;
        self.remove_draft()
    }
}

fn found(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Draft {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Refuses what others could have put there, as in a folder that everybody may write to.
fn refuse_foreign(path: &Path, metadata: &Metadata, expected: bool) -> Result<(), Error> {
    let ours = metadata.uid() == users::get_effective_uid() && metadata.mode() & 0o077 == 0;
    if ours && expected {
        return Ok(());
    }
    Err(Error::Foreign {
        path: path.to_path_buf(),
    })
}
