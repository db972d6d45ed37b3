//! Messages between two processes of the proxy, with descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg,
    sendmsg, socket_with,
};
use serde::{Deserialize, Serialize};

use super::{Held, Name};
use crate::listen::Bound;

/// How long the other side may take for one step. It has nothing to do but to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_MESSAGE: usize = 1 << 16;
const MAX_DESCRIPTORS: usize = 16;

/// What is said. The descriptors come with it, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Root to the running process: which addresses are listened on?
    WhichAddresses,
    /// The answer.
    Addresses(Vec<Bound>),
    /// Root to the running process: what a successor is to get. Of all that is `wanted`, the names that are not `given`
    /// it has already.
    Keep { wanted: Vec<Name>, given: Vec<Name> },
    /// The answer: it is kept.
    Kept,
    /// A successor to the running process: let me take over.
    TakeOver,
    /// The answer: these are yours, and nothing changes until you say that you serve or are gone.
    Take(Vec<Name>),
    /// The successor serves.
    Serving,
    /// The answer: nobody else does any more.
    Released,
    /// A process that was replaced to the one that serves: routes by their prefixes, and when each was last used, in
    /// milliseconds since 1970. `Kept` is the answer.
    Used(Vec<(String, i64)>),
    /// Not now: another one takes over.
    Refused,
}

/// One end of a connection. Each step has a deadline.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Connects to who listens at `path`.
    ///
    /// # Errors
    /// Nobody does.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = new_socket()?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Self::new(socket)
    }

    /// The end of a connection that was accepted.
    ///
    /// # Errors
    /// It is no socket.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// Says something.
    ///
    /// # Errors
    /// The other side is gone or does not listen.
    pub fn send(&self, message: &Message) -> io::Result<()> {
        self.send_with(message, &[])
    }

    /// Says something about these descriptors, and gives them.
    ///
    /// # Errors
    /// The other side is gone or does not listen.
    pub fn send_with(&self, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let text = [IoSlice::new(&text)];
        sendmsg(&self.0, &text, &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for what is said next.
    ///
    /// # Errors
    /// The other side is gone, says nothing, or what it says is not understood.
    pub fn receive(&self) -> io::Result<(Message, Vec<OwnedFd>)> {
        let mut text = vec![0; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut text)];
        let received = recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let descriptors = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        match text.get(..received.bytes).unwrap_or_default() {
            [] => Err(io::ErrorKind::UnexpectedEof.into()),
            text => Ok((serde_json::from_slice(text)?, descriptors)),
        }
    }

    /// Says something, and waits for the answer.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::receive`].
    pub fn ask(&self, message: &Message) -> io::Result<(Message, Vec<OwnedFd>)> {
        self.send(message)?;
        self.receive()
    }
}

/// A socket that keeps messages apart.
pub fn new_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// What came with these names.
///
/// # Errors
/// There are not as many descriptors as names.
pub fn named(names: Vec<Name>, descriptors: Vec<OwnedFd>) -> io::Result<Held> {
    if names.len() == descriptors.len() {
        Ok(names.into_iter().zip(descriptors).collect())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// The names and the descriptors of what is to be given.
pub fn unnamed(held: &Held) -> (Vec<Name>, Vec<BorrowedFd<'_>>) {
    held.iter().unzip()
}
