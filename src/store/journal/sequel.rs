//! What a journal says, taken up from what it said before: of what came since only the new events are read.
//!
//! The state of 20,000 packages takes most of a second to read from its snapshot, an event some microseconds. Whether all
//! that was read before is still there (a standby cuts off what its leader does not have) two [`History`]s tell.

use super::{Journal, StoreError};
use crate::core::state::State;
use crate::store::History;

/// What a journal has said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What its events have led to.
    pub state: State,
    /// Which events those were.
    pub history: History,
}

impl Journal {
    /// What it says now, where it has said this before; of one that says nothing yet it is all read.
    ///
    /// # Errors
    /// As [`Journal::replay`].
    pub fn go_on_reading(&self, before: Said) -> Result<Said, StoreError> {
        // What is written, cut off or removed meanwhile is not seen.
        let view = self.connection.unchecked_transaction().map_err(|source| self.fault("read", source))?;
        let history = self.history()?;
        let last = before.history.last;
        let has_all = last > 0 && before.history.common(&history) == last && history.gone <= last;
        let state = if has_all {
            let mut state = before.state;
            self.apply_after(last, &mut state)?;
            state
        } else {
            self.replay()?
        };
        drop(view);
        Ok(Said { state, history })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::Timestamp;
    use crate::store::journal::Keep;
    use crate::store::journal::testing::{claim, fleet, write};

    /// That what is said is just what a reader who begins anew is told.
    fn hold(journal: &Journal, said: &Said) {
        let text = |state: &State| serde_json::to_value(state).unwrap();
        assert_eq!(text(&said.state), text(&journal.replay().unwrap()));
        assert_eq!(said.history, journal.history().unwrap());
    }

    #[test]
    fn what_came_since_is_all_that_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        let mut said = journal.go_on_reading(Said::default()).unwrap();
        hold(&journal, &said);
        for event in [claim(1, "izar"), fleet(1), fleet(2), claim(2, "izar"), fleet(3)] {
            write(&mut journal, &mut state, &event);
            said = journal.go_on_reading(said).unwrap();
            hold(&journal, &said);
        }
        // What was read before is not looked at again, or this would be found.
        journal.connection.execute("UPDATE events SET body = 'nothing' WHERE sequence = 2", []).unwrap();
        write(&mut journal, &mut state, &fleet(4));
        said = journal.go_on_reading(said).unwrap();
        assert_eq!((said.state.drones.len(), said.history.last), (1, 6));
        journal.go_on_reading(Said::default()).unwrap_err();
    }

    #[test]
    fn what_was_cut_off_since_is_not_said_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        for event in [claim(1, "izar"), fleet(1), claim(2, "izar"), fleet(2)] {
            write(&mut journal, &mut state, &event);
        }
        let said = journal.go_on_reading(Said::default()).unwrap();
        journal.cut(2, Timestamp(8)).unwrap();
        let mut state = journal.replay().unwrap();
        for event in [claim(2, "vega"), fleet(3), fleet(4)] {
            write(&mut journal, &mut state, &event);
        }
        hold(&journal, &journal.go_on_reading(said).unwrap());
    }

    #[test]
    fn what_is_gone_before_it_was_read_is_taken_from_the_sum() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        write(&mut journal, &mut state, &claim(1, "izar"));
        let said = journal.go_on_reading(Said::default()).unwrap();
        for event in [fleet(1), fleet(2), fleet(3)] {
            write(&mut journal, &mut state, &event);
        }
        journal.prune(&state, &Keep { since: Timestamp(99), size: 0, wanted: None }).unwrap();
        hold(&journal, &journal.go_on_reading(said).unwrap());
    }
}
