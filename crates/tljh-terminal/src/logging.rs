//! Logging to standard error, or to the journal where that is one and the same.

mod journal;

use std::io::Write as _;

use clap::{ArgAction, Args};
use env_logger::{Builder, Logger};
use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

use journal::Journal;

/// `-v` and `-q`, the same in every program.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Verbosity {
    /// Say more; twice for debugging
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Verbosity {
    /// The log level that the flags ask for; information by default.
    pub fn level(self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::Error,
            (false, 0) => LevelFilter::Info,
            (false, 1) => LevelFilter::Debug,
            (false, _) => LevelFilter::Trace,
        }
    }
}

/// Starts logging to standard error. `RUST_LOG` overrides the flags. Safe to call twice.
///
/// Where standard error is the journal, each line begins with the syslog priority of sd-daemon(3), so that the journal
/// files it under the right level; otherwise with the level's name unless it is `info`.
pub fn init_logging(verbosity: Verbosity) {
    install_text(text_logger(verbosity));
}

/// As [`init_logging`], on a terminal where something else stands too, such as a bar of progress: each line is written
/// by the function that `aside` is given, which makes room for it.
pub fn init_logging_beside(verbosity: Verbosity, aside: fn(&mut dyn FnMut())) {
    let text = text_logger(verbosity);
    let level = text.filter();
    install(Box::new(Beside { text, aside }), level);
}

/// As [`init_logging`], for a service that runs on: where standard error is the journal, entries go there with their
/// key-value pairs as fields (systemd.journal-fields(7)).
///
/// The journal looks up which unit the sender of such an entry belongs to; of a process that ends at once it may find
/// out too late.
pub fn init_service_logging(verbosity: Verbosity) {
    let text = text_logger(verbosity);
    match connected_to_journal().then(JournalLog::new) {
        Some(Ok(journal)) => {
            let level = text.filter();
            install(Box::new(Journal { journal, text }), level);
        }
        _ => install_text(text),
    }
}

fn install_text(text: Logger) {
    let level = text.filter();
    install(Box::new(text), level);
}

fn install(logger: Box<dyn Log>, level: LevelFilter) {
    if log::set_boxed_logger(logger).is_ok() {
        log::set_max_level(level);
    }
}

struct Beside {
    text: Logger,
    aside: fn(&mut dyn FnMut()),
}

impl Log for Beside {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.text.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.text.matches(record) {
            (self.aside)(&mut || self.text.log(record));
        }
    }

    fn flush(&self) {
        self.text.flush();
    }
}

fn text_logger(verbosity: Verbosity) -> Logger {
    let is_journal = connected_to_journal();
    Builder::new()
        .filter_level(verbosity.level())
        .parse_env("RUST_LOG")
        .format(move |buffer, record| {
            if is_journal {
                let priority = match record.level() {
                    log::Level::Error => 3,
                    log::Level::Warn => 4,
                    log::Level::Info => 6,
                    log::Level::Debug | log::Level::Trace => 7,
                };
                writeln!(buffer, "<{priority}>{}", record.args())
            } else if record.level() == log::Level::Info {
                writeln!(buffer, "{}", record.args())
            } else {
                writeln!(
                    buffer,
                    "{}: {}",
                    record.level().as_str().to_lowercase(),
                    record.args()
                )
            }
        })
        .build()
}
