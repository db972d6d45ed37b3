//! What outlives a process of the proxy: its listening sockets and its settings.
//!
//! Root's part, `tljh-proxy listen`, binds the sockets and reads the files that only root may. systemd keeps a
//! descriptor of each in the service's store (`FileDescriptorStoreMax=` in systemd.service(5)) for as long as the service
//! is not stopped: whatever ends a process, connections wait until the next one accepts them. And a running process gives
//! them to its successor, over a socket in the service's runtime directory, which is open to this service and to root.

mod channel;
mod control;
mod held;
mod running;
mod systemd;

use std::io::{self, Write as _};
use std::process;

use sd_notify::NotifyState;

pub use control::{Control, Event, Successors};
pub use held::{Held, Name};
pub use running::{Predecessor, addresses, offer, tell_uses};
pub use systemd::{held_by_manager, keep};

/// What a new process says on standard output when it has taken over.
pub const SERVING: &[u8] = b"serving\n";

/// A process's place in the row.
#[derive(Debug)]
pub struct Handover {
    /// Who serves until now, if anybody does.
    pub predecessor: Option<Predecessor>,
    /// How a successor finds this process, if one is to.
    pub control: Option<Control>,
}

impl Handover {
    /// Makes this process the one that serves: for systemd, for successors, and for who served before.
    ///
    /// # Errors
    /// systemd or a successor could not find this process. The predecessor goes on then, when this process ends.
    pub fn complete(self) -> io::Result<Option<Successors>> {
        sd_notify::notify(&[NotifyState::MainPid(process::id()), NotifyState::Ready])?;
        let successors = self.control.map(Control::publish).transpose()?;
        if let Some(predecessor) = self.predecessor {
            // Should it be gone by now, this process serves all the same.
            if let Err(error) = predecessor.release() {
                log::warn!("the process before did not say that it has ended serving: {error}");
            }
            let _ = io::stdout().write_all(SERVING);
        }
        Ok(successors)
    }
}
