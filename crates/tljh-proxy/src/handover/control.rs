//! The running process's side: it is told what to keep for a successor, and lets one take over.

use std::fs;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rustix::fs::{Mode, chmod, rename};
use rustix::net::{SocketAddrUnix, SocketFlags, accept_with, bind, listen};
use tokio::sync::{mpsc, oneshot};

use super::Held;
use super::channel::{Channel, Message, named, new_socket, unnamed};

/// What the serving part has to do.
#[derive(Debug)]
pub enum Event {
    /// Change no route and accept no further request for that, and say so: a successor is about to read them.
    Freeze(oneshot::Sender<()>),
    /// The successor is gone; go on as before.
    Resume,
    /// Routes were used, at these times, by connections of a process from before.
    Used(Vec<(String, i64)>),
    /// The successor serves; take no further connection, and say so.
    Release(oneshot::Sender<()>),
}

/// What the serving part hears of successors. Once dropped, there is nothing to take over any more: without systemd, which
/// keeps descriptors of its own, the sockets are closed then.
#[derive(Debug)]
pub struct Successors {
    events: mpsc::Receiver<Event>,
    held: Arc<Mutex<Held>>,
    path: PathBuf,
}

impl Successors {
    /// Where the process that serves can be told something, whichever it is by then.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is to be done next; for ever without an answer, if nothing can come any more.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => pending().await,
        }
    }
}

impl Drop for Successors {
    fn drop(&mut self) {
        *self.held.lock() = Held::default();
    }
}

/// The socket in the runtime directory.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
    unpublished: PathBuf,
    path: PathBuf,
    held: Arc<Mutex<Held>>,
}

impl Control {
    /// Where it is, below the runtime directory.
    pub fn path(runtime_dir: &Path) -> PathBuf {
        runtime_dir.join("control")
    }

    /// A socket that nobody finds yet, with this to give.
    ///
    /// # Errors
    /// The folder is absent or may not be written to.
    pub fn prepare(runtime_dir: &Path, held: Held) -> io::Result<Self> {
        let socket = new_socket()?;
        let path = Self::path(runtime_dir);
        let unpublished = runtime_dir.join(format!("control.{}", process::id()));
        ensure_absent(&unpublished)?;
        bind(&socket, &SocketAddrUnix::new(&unpublished)?)?;
        chmod(&unpublished, Mode::RUSR | Mode::WUSR)?;
        listen(&socket, 16)?;
        Ok(Self {
            socket,
            unpublished,
            path,
            held: Arc::new(Mutex::new(held)),
        })
    }

    /// Takes the place of who answered before, and answers on a thread of its own until a successor has taken over. What
    /// concerns the serving part comes out.
    ///
    /// # Errors
    /// The folder may not be written to, or the thread could not be had.
    pub fn publish(self) -> io::Result<Successors> {
        // Never absent, once it was there.
        rename(&self.unpublished, &self.path)?;
        let (sender, events) = mpsc::channel(1);
        let successors = Successors {
            events,
            held: self.held.clone(),
            path: self.path.clone(),
        };
        let thread = thread::Builder::new().name("control".into());
        thread.spawn(move || {
            while let Ok(socket) = accept_with(&self.socket, SocketFlags::CLOEXEC) {
                match Channel::new(socket).and_then(|channel| self.answer(&channel, &sender)) {
                    // What it has to give would keep the sockets open beside the successor.
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => log::debug!("control: {error}"),
                }
            }
        })?;
        Ok(successors)
    }

    /// Answers one connection; true when a successor has taken over.
    fn answer(&self, channel: &Channel, serving: &mpsc::Sender<Event>) -> io::Result<bool> {
        let (asked, descriptors) = channel.receive()?;
        match asked {
            Message::WhichAddresses => {
                channel.send(&Message::Addresses(self.held.lock().addresses()))?;
            }
            Message::Keep { wanted, given } => {
                self.held.lock().renew(named(given, descriptors)?, &wanted);
                channel.send(&Message::Kept)?;
            }
            Message::Used(uses) => {
                let noted = serving.blocking_send(Event::Used(uses)).is_ok();
                let answer = if noted {
                    Message::Kept
                } else {
                    Message::Refused
                };
                channel.send(&answer)?;
            }
            Message::TakeOver => return self.hand_over(channel, serving),
            _ => channel.send(&Message::Refused)?,
        }
        Ok(false)
    }

    fn hand_over(&self, channel: &Channel, serving: &mpsc::Sender<Event>) -> io::Result<bool> {
        let (frozen, done) = oneshot::channel();
        if serving.blocking_send(Event::Freeze(frozen)).is_err() || done.blocking_recv().is_err() {
            channel.send(&Message::Refused)?;
            return Ok(false);
        }
        let taken = {
            let held = self.held.lock();
            let (names, descriptors) = unnamed(&held);
            channel.send_with(&Message::Take(names), &descriptors)
        };
        let serves = taken.and_then(|()| channel.receive());
        if !matches!(serves, Ok((Message::Serving, _))) {
            let _ = serving.blocking_send(Event::Resume);
            return serves.map(|_| false);
        }
        let (released, done) = oneshot::channel();
        let _ = serving.blocking_send(Event::Release(released));
        let _ = done.blocking_recv();
        // It serves, whether it hears this or not.
        let _ = channel.send(&Message::Released);
        Ok(true)
    }
}

fn ensure_absent(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
