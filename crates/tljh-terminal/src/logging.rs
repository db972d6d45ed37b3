//! Logging to standard error, where the journal picks it up for services.

use std::io::Write as _;

use clap::{ArgAction, Args};
use log::LevelFilter;

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
/// Under systemd (`JOURNAL_STREAM` is set) each line begins with the syslog priority of sd-daemon(3), so
/// that the journal files it under the right level; otherwise with the level's name unless it is `info`.
pub fn init_logging(verbosity: Verbosity) {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let _ = env_logger::Builder::new()
        .filter_level(verbosity.level())
        .parse_env("RUST_LOG")
        .format(move |buffer, record| {
            if journal {
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
        .try_init();
}
