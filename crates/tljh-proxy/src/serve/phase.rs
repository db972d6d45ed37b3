//! How far the process is on its way from its start to its end.

/// What connections are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Connections are accepted and kept.
    Serving,
    /// Another process serves; the connections that are here end by themselves, each after its next answer.
    Draining,
    /// The process ends: requests under way are finished, nothing else is waited for.
    Stopping,
}
