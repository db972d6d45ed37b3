//! How far a step is: a bar on a terminal, which goes with the step; elsewhere a line of the log.

use std::io::{IsTerminal as _, stderr};
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A shorter step shows no bar.
const DELAY: Duration = Duration::from_millis(300);
/// How often a bar is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: &str = "{spinner} {prefix} ({elapsed}) {wide_msg}";
const COUNTED: &str = "{spinner} {prefix} [{bar:24}] {pos}/{len} {wide_msg}";

static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A step that goes on until this is dropped.
pub struct Progress {
    bar: ProgressBar,
    text: String,
    began: Instant,
    delayed: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Whether there is a terminal that shows steps, and somebody who wants to see them.
pub fn is_shown() -> bool {
    let is_plain = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
    stderr().is_terminal() && !is_plain && log::log_enabled!(log::Level::Info)
}

/// Runs `write`, which prints on standard error, beside what stands there.
pub fn aside(write: &mut dyn FnMut()) {
    if stderr().is_terminal() {
        SCREEN.suspend(write);
    } else {
        write();
    }
}

impl Progress {
    /// A step of which nobody knows how long it takes.
    pub fn begin(text: &str) -> Self {
        if !is_shown() {
            log::info!("{text} ...");
        }
        Self::unlogged(text)
    }

    /// Likewise, for which the log has no line.
    pub fn unlogged(text: &str) -> Self {
        Self::new(text, ProgressBar::no_length(), SPINNER)
    }

    /// A step that is done after `total` of something, which are counted only if somebody sees it.
    pub fn counted(text: &str, total: impl FnOnce() -> u64) -> Self {
        if !is_shown() {
            log::info!("{text} ...");
            return Self::unlogged(text);
        }
        Self::new(text, ProgressBar::new(total()), COUNTED)
    }

    /// One more is done.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// So many are done, and this is being done.
    pub fn tell(&self, done: u64, doing: String) {
        self.bar.set_position(done);
        self.bar.set_message(doing);
    }

    fn new(text: &str, bar: ProgressBar, template: &str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let mut progress = Self {
            bar,
            text: text.to_string(),
            began: Instant::now(),
            delayed: None,
        };
        if is_shown() {
            progress.show_later(template);
        }
        progress
    }

    fn show_later(&mut self, template: &str) {
        let bar = &self.bar;
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.tick_chars("-\\|/ ").progress_chars("=> "));
        }
        bar.set_prefix(self.text.clone());
        let (sender, ended) = channel::<()>();
        let shown = bar.clone();
        let thread = std::thread::spawn(move || {
            if ended.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                SCREEN.add(shown.clone());
                shown.enable_steady_tick(TICK);
            }
        });
        self.delayed = Some((sender, thread));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.delayed.take() {
            drop(sender);
            let _ = thread.join();
            self.bar.finish_and_clear();
            SCREEN.remove(&self.bar);
        }
        log::debug!("{}: {:.3} s", self.text, self.began.elapsed().as_secs_f64());
    }
}
