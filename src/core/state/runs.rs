//! Unattended runs: of each playbook the last one, as the schedule and the alarms want it. All of them have their records
//! beside the journal.

use serde::{Deserialize, Serialize};

use super::State;
use crate::core::event::{RunEnd, RunStart};
use crate::core::names::{PlaybookName, RunId, Timestamp};

/// An unattended run of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// When the schedule wanted it to begin; none where nobody's schedule began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Nothing new starts after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// How it ended; none while it is at work, or where nobody could say its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finished>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its exit status, one of those of `swarm` itself.
    pub status: u8,
    /// Why it is that, in one line.
    pub reason: String,
    /// When it ended.
    pub at: Timestamp,
}

impl State {
    /// The run that began last, and what it is a run of.
    pub fn last_run(&self) -> Option<(&PlaybookName, &Run)> {
        self.runs.iter().max_by_key(|(_, run)| (run.started, &run.id))
    }

    pub(super) fn start_run(&mut self, start: &RunStart) {
        let RunStart { run, playbook, due, deadline, at } = start;
        let run = Run { id: run.clone(), started: *at, due: *due, deadline: *deadline, finished: None };
        self.runs.insert(playbook.clone(), run);
    }

    /// A run that its playbook's next one has replaced is only a record by now.
    pub(super) fn finish_run(&mut self, end: &RunEnd) {
        if let Some(run) = self.runs.values_mut().find(|run| run.id == end.run) {
            run.finished = Some(Finished { status: end.status, reason: end.reason.clone(), at: end.at });
        }
    }

    /// Whether this is the last run of its playbook, and not known to be over.
    pub fn is_at_work(&self, run: &RunId) -> bool {
        self.runs.values().any(|last| last.id == *run && last.finished.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;

    fn started(playbook: &str, at: i64) -> (RunId, Event) {
        let playbook: PlaybookName = playbook.parse().unwrap();
        let run = RunId::new(&playbook, Timestamp(at), 1);
        let start = RunStart { run: run.clone(), playbook, due: None, deadline: None, at: Timestamp(at) };
        (run, Event::RunStarted(start))
    }

    fn finished(run: &RunId, status: u8, at: i64) -> Event {
        Event::RunFinished(RunEnd { run: run.clone(), status, reason: "why".into(), at: Timestamp(at) })
    }

    #[test]
    fn the_last_run_of_each_playbook_is_known_with_its_end() {
        let mut state = State::default();
        let (first, begins) = started("nightly-world", 10);
        let (second, begins_again) = started("nightly-world", 20);
        let (other, security) = started("security", 15);
        let events = [begins, security, finished(&other, 3, 16), begins_again, finished(&first, 1, 21)];
        for event in &events {
            state.apply(event).unwrap();
        }
        let (playbook, run) = state.last_run().unwrap();
        assert_eq!((playbook.as_str(), &run.id, &run.finished), ("nightly-world", &second, &None));
        let security = &state.runs[&"security".parse().unwrap()];
        assert_eq!(security.finished.as_ref().map(|end| (end.status, end.at)), Some((3, Timestamp(16))));

        state.apply(&finished(&second, 0, 30)).unwrap();
        assert_eq!(state.last_run().unwrap().1.finished.as_ref().map(|end| end.status), Some(0));
        let read = State::of_snapshot(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert_eq!(read.runs, state.runs);
    }
}
