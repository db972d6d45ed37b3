//! Figures about the process, by the names that all of Prometheus's clients give them.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo as _};

/// The state of this process.
#[derive(Debug)]
pub struct State {
    /// Processor time in seconds.
    pub cpu: f64,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Virtual memory in bytes.
    pub virtual_size: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// How many it may open, unless that has no limit.
    pub max_descriptors: Option<u64>,
    /// Threads.
    pub threads: i64,
}

impl State {
    /// What the system tells about this process.
    ///
    /// # Errors
    /// /proc is not there.
    pub fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = stat.utime + stat.stime;
        Ok(Self {
            cpu: ticks as f64 / procfs::ticks_per_second() as f64,
            resident: stat.rss_bytes().get(),
            virtual_size: stat.vsize,
            descriptors: process.fd_count()?,
            max_descriptors: match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(most) => Some(most),
                LimitValue::Unlimited => None,
            },
            threads: stat.num_threads,
        })
    }
}
