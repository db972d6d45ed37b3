//! Which generations there are to go back to.

use super::{Active, Generations};
use crate::error::UserEnvError;
use crate::record::{Record, State};

impl Generations {
    /// The record of the active generation, also if its folder is lost.
    pub fn active_or_lost(&self) -> Option<Record> {
        let Ok(Active::Generation(number)) = self.active() else {
            return None;
        };
        let record = self.read(number).ok().flatten();
        record.filter(|record| record.state == State::Ready)
    }

    /// The newest generation that is made from the bundle alone. It is never removed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn pristine(&self) -> Result<Option<u64>, UserEnvError> {
        let records = self.newest_first()?;
        Ok(records
            .iter()
            .find(|record| record.parent.is_none())
            .map(|record| record.number))
    }

    /// Those that `record` came from, nearest first, and the bundle's own; all, newest first, if it is lost.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn earlier(&self, record: Option<&Record>) -> Result<Vec<Record>, UserEnvError> {
        let mut others = self.newest_first()?;
        let Some(record) = record else {
            return Ok(others);
        };
        others.retain(|other| other.number != record.number);
        let mut earlier = Vec::new();
        let mut next = record.parent;
        while let Some(at) = next.and_then(|number| position(&others, number)) {
            let found = others.remove(at);
            next = found.parent;
            earlier.push(found);
        }
        // Those between may have been pruned.
        earlier.extend(others.into_iter().find(|other| other.parent.is_none()));
        Ok(earlier)
    }

    /// All that are ready. A damaged record hides no other generation.
    fn newest_first(&self) -> Result<Vec<Record>, UserEnvError> {
        let numbers = self.numbers()?;
        Ok(numbers
            .into_iter()
            .rev()
            .filter_map(|number| self.ready(number).ok().flatten())
            .collect())
    }
}

fn position(records: &[Record], number: u64) -> Option<usize> {
    records.iter().position(|record| record.number == number)
}
