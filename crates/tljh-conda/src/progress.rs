//! What is going on, on standard error: a bar on a terminal, else a line for each phase.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A phase of the work.
pub struct Phase(ProgressBar);

/// A phase whose end is not known.
pub fn phase(what: String) -> Phase {
    let bar = if is_shown() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    begin(bar, what)
}

/// A phase of so many bytes.
pub fn bytes(what: String, total: u64) -> Phase {
    let bar = if is_shown() {
        ProgressBar::new(total)
    } else {
        ProgressBar::hidden()
    };
    // A template that is wrong is a matter of tests; the plain bar does as well.
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}")
    {
        bar.set_style(style);
    }
    begin(bar, what)
}

fn begin(bar: ProgressBar, what: String) -> Phase {
    if bar.is_hidden() {
        log::info!("{what}");
    } else {
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message(what);
    }
    Phase(bar)
}

fn is_shown() -> bool {
    std::io::stderr().is_terminal() && log::log_enabled!(log::Level::Info)
}

impl Phase {
    /// So many bytes more are done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// It is over.
    pub fn done(self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
