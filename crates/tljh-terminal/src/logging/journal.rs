//! Entries of the journal by its own protocol, which has fields.

use env_logger::Logger;
use log::{Level, Log, Metadata, Record};
use systemd_journal_logger::JournalLog;

/// Sends entries to the journal; as text where that does not take them.
pub struct Journal {
    /// Sends them.
    pub journal: JournalLog,
    /// Knows which ones are wanted, and writes them as text.
    pub text: Logger,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.text.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.text.matches(record) {
            return;
        }
        // The library files `info` under `notice`, and so on; by sd-daemon(3), as everywhere else, it is 6.
        let level = match record.level() {
            Level::Info => Level::Debug,
            Level::Debug => Level::Trace,
            level => level,
        };
        let filed = record.to_builder().level(level).build();
        if self.journal.journal_send(&filed).is_err() {
            self.text.log(record);
        }
    }

    fn flush(&self) {
        self.text.flush();
    }
}
