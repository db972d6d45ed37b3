//! What a process that was replaced tells the one that serves: which routes its connections still use.
//!
//! The hub asks the serving process how long a server has been idle, and stops those that were for long. A notebook
//! whose WebSocket is held here must not seem idle there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::handover::tell_uses;
use crate::routes::Table;

/// How often it is told. What is idle is counted in minutes.
const PERIOD: Duration = Duration::from_secs(5);

/// What was told, and to whom.
#[derive(Debug)]
pub struct Report {
    /// Where whichever process serves by then is told.
    control: PathBuf,
    told: HashMap<String, i64>,
}

impl Report {
    /// Nothing told yet to who answers at `control`.
    pub fn new(control: PathBuf) -> Self {
        Self {
            control,
            told: HashMap::new(),
        }
    }

    /// Tells it for ever.
    pub async fn keep(&mut self, table: &Table) {
        loop {
            self.tell(table).await;
            sleep(PERIOD).await;
        }
    }

    /// Tells what has changed. What cannot be told is told the next time.
    pub async fn tell(&mut self, table: &Table) {
        // Routes that the other process has removed or replaced are none of ours any more.
        table.follow();
        let mut uses = table.last_uses();
        uses.retain(|(prefix, time)| self.told.get(prefix) != Some(time));
        if uses.is_empty() {
            return;
        }
        let control = self.control.clone();
        let told = spawn_blocking(move || tell_uses(&control, &uses).map(|()| uses)).await;
        match told {
            Ok(Ok(uses)) => self.told.extend(uses),
            Ok(Err(error)) => log::debug!("could not tell which routes are used: {error}"),
            Err(error) => log::debug!("could not tell which routes are used: {error}"),
        }
    }
}
