//! Ctrl-C while a generation is being made: it is given up and taken away, rather than left half-made.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::UserEnvError;

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static LISTENING: LazyLock<io::Result<()>> = LazyLock::new(|| {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The second time the process ends at once.
        flag::register_conditional_default(signal, Arc::clone(&ASKED))?;
        flag::register(signal, Arc::clone(&ASKED))?;
    }
    Ok(())
});

/// From now on a signal that would end the process only asks for it. Without this it ends at once, and the next
/// command takes away what it left.
pub fn listen() {
    if let Err(error) = &*LISTENING {
        log::warn!("an interruption may leave an unfinished generation: {error}");
    }
}

/// Whether it is asked for.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Refuses to go on if it is.
///
/// # Errors
/// It is.
pub fn refuse() -> Result<(), UserEnvError> {
    if is_asked() {
        return Err(UserEnvError::Interrupted);
    }
    Ok(())
}
