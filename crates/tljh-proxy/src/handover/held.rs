//! The descriptors, by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::ioctl_fionbio;
use serde::{Deserialize, Serialize};
use socket2::SockRef;

use crate::listen::Bound;

/// Settings are a few hundred bytes, certificates a few thousand.
const MAX_SETTINGS: usize = 1 << 20;

/// What a descriptor is for. systemd and other versions of this program know it by its name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Listens for browsers.
    Http,
    /// Listens for browsers that come by TLS.
    Https,
    /// Listens for another proxy, in the file system.
    Socket,
    /// Listens for the hub.
    Api,
    /// Holds the settings, as [`crate::settings::compose`] made them.
    Settings,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Http,
        Self::Https,
        Self::Socket,
        Self::Api,
        Self::Settings,
    ];

    /// As systemd knows it: printable, without a colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socket => "socket",
            Self::Api => "api",
            Self::Settings => "settings",
        }
    }
}

/// Descriptors, at most one of each name.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<Name, OwnedFd>);

impl Held {
    /// Adds or replaces one.
    pub fn insert(&mut self, name: Name, descriptor: impl Into<OwnedFd>) {
        self.0.insert(name, descriptor.into());
    }

    /// Adds or replaces the settings, in memory that nobody can change any more.
    ///
    /// # Errors
    /// The system has no memory for it.
    pub fn insert_settings(&mut self, text: &str) -> io::Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("tljh-proxy settings", flags)?);
        file.write_all(text.as_bytes())?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        self.insert(Name::Settings, file);
        Ok(())
    }

    /// The settings' text, if it is here.
    ///
    /// # Errors
    /// It cannot be read, or is no text of a size that settings have.
    pub fn settings(&self) -> io::Result<Option<String>> {
        let Some(descriptor) = self.0.get(&Name::Settings) else {
            return Ok(None);
        };
        // Read from its beginning, wherever another process has left off.
        let file = File::from(descriptor.try_clone()?);
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > MAX_SETTINGS {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, 0)?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// A socket that listens on one of these addresses, if one of this name is here.
    ///
    /// # Errors
    /// This process may open no further descriptor.
    pub fn listener(
        &self,
        name: Name,
        fits: impl Fn(&Bound) -> bool,
    ) -> io::Result<Option<OwnedFd>> {
        let Some(descriptor) = self.0.get(&name) else {
            return Ok(None);
        };
        if !bound_of(descriptor.as_fd()).is_some_and(|bound| fits(&bound)) {
            return Ok(None);
        }
        let listener = descriptor.try_clone()?;
        // Whoever opened it may have left it to wait, which would be for ever.
        ioctl_fionbio(&listener, true)?;
        Ok(Some(listener))
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<Bound> {
        let addresses = self
            .0
            .values()
            .map(|descriptor| bound_of(descriptor.as_fd()));
        addresses.flatten().collect()
    }

    /// What is here, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (Name, BorrowedFd<'_>)> {
        self.0
            .iter()
            .map(|(name, descriptor)| (*name, descriptor.as_fd()))
    }

    /// Takes over what is `new`, and lets go of what is not among the names `wanted`.
    pub fn renew(&mut self, new: Self, wanted: &[Name]) {
        self.0.extend(new.0);
        self.0.retain(|name, _| wanted.contains(name));
    }
}

impl FromIterator<(Name, OwnedFd)> for Held {
    fn from_iter<T: IntoIterator<Item = (Name, OwnedFd)>>(descriptors: T) -> Self {
        Self(descriptors.into_iter().collect())
    }
}

/// Where a listening socket is bound; nothing for any other descriptor.
fn bound_of(descriptor: BorrowedFd<'_>) -> Option<Bound> {
    let address = SockRef::from(&descriptor).local_addr().ok()?;
    let file = || Some(Bound::File(address.as_pathname()?.into()));
    address.as_socket().map(Bound::Port).or_else(file)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn settings_are_read_as_often_as_wanted_and_cannot_be_changed() {
        let mut held = Held::default();
        assert_eq!(held.settings().unwrap(), None);
        held.insert_settings("{\"token\": \"x\"}").unwrap();
        for _ in 0..2 {
            assert_eq!(held.settings().unwrap().unwrap(), "{\"token\": \"x\"}");
        }
        let mut file = File::from(held.0[&Name::Settings].try_clone().unwrap());
        file.write_all(b"y").unwrap_err();
        file.set_len(1).unwrap_err();
    }

    #[test]
    fn a_socket_is_found_by_its_name_and_its_address() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut held = Held::default();
        held.insert(Name::Http, socket);
        held.insert_settings("{}").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        held.insert(Name::Socket, UnixListener::bind(&path).unwrap());
        let (port, file) = (Bound::Port(address), Bound::File(path));
        assert_eq!(held.addresses(), [port.clone(), file.clone()]);
        let found = |held: &Held, name, wanted: &Bound| {
            let listener = held.listener(name, |bound| bound == wanted);
            listener.unwrap().is_some()
        };
        assert!(found(&held, Name::Http, &port));
        assert!(found(&held, Name::Socket, &file));
        assert!(!found(&held, Name::Http, &file));
        assert!(!found(&held, Name::Api, &port));
        assert!(!found(&held, Name::Settings, &port));
        held.renew(Held::default(), &[Name::Settings]);
        assert!(!found(&held, Name::Http, &port));
    }
}
