//! The running process, as root's part and a successor see it.

use std::io;
use std::path::Path;

use super::channel::{Channel, Message, named, unnamed};
use super::{Control, Held, Name};
use crate::listen::Bound;

/// How many fit into a message, long names included.
const USES_AT_ONCE: usize = 50;

/// The addresses on which the running process listens; none where there is none.
///
/// # Errors
/// It does not answer.
pub fn addresses(runtime_dir: &Path) -> io::Result<Vec<Bound>> {
    let Some(running) = connect(runtime_dir)? else {
        return Ok(Vec::new());
    };
    match running.ask(&Message::WhichAddresses)? {
        (Message::Addresses(addresses), _) => Ok(addresses),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Gives the running process what its successor is to get of all that is `wanted`. It has the rest already. Nothing
/// happens where no process runs.
///
/// # Errors
/// It does not answer.
pub fn offer(runtime_dir: &Path, new: &Held, wanted: &[Name]) -> io::Result<()> {
    let Some(running) = connect(runtime_dir)? else {
        return Ok(());
    };
    let (given, descriptors) = unnamed(new);
    let wanted = wanted.to_vec();
    running.send_with(&Message::Keep { wanted, given }, &descriptors)?;
    running.receive().map(drop)
}

/// Tells the process that serves, at `control`, when routes were last used.
///
/// # Errors
/// It does not answer, or is about to be replaced itself.
pub fn tell_uses(control: &Path, uses: &[(String, i64)]) -> io::Result<()> {
    for some in uses.chunks(USES_AT_ONCE) {
        match Channel::connect(control)?.ask(&Message::Used(some.to_vec()))? {
            (Message::Kept, _) => {}
            _ => return Err(io::ErrorKind::ResourceBusy.into()),
        }
    }
    Ok(())
}

fn connect(runtime_dir: &Path) -> io::Result<Option<Channel>> {
    match Channel::connect(&Control::path(runtime_dir)) {
        Ok(channel) => Ok(Some(channel)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The process that is taken over from. It serves until it is told otherwise.
#[derive(Debug)]
pub struct Predecessor(Channel);

impl Predecessor {
    /// Asks the running process for what it has. From now on it changes no route.
    ///
    /// # Errors
    /// There is none, or it refuses.
    pub fn ask(runtime_dir: &Path) -> io::Result<(Self, Held)> {
        let channel = Channel::connect(&Control::path(runtime_dir))?;
        let (Message::Take(names), descriptors) = channel.ask(&Message::TakeOver)? else {
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        Ok((Self(channel), named(names, descriptors)?))
    }

    /// Tells it that this process serves now, and waits until nobody else does.
    ///
    /// # Errors
    /// It is gone.
    pub fn release(self) -> io::Result<()> {
        self.0.ask(&Message::Serving).map(drop)
    }
}
