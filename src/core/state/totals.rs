//! How often things have happened, for whoever draws a curve of it.
//!
//! The totals are part of the state, so they come from the journal like all of it: they go on where a controller or a
//! service is started again, on a standby they are its leader's, and a snapshot keeps what events had come to that are
//! gone. They fall only where a journal loses events, as that of an orchestrator which was cut off and follows another
//! one again. What happened before an upgrade to the first version that counts is counted as far as it is still replayed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::event::{Event, JobOutcome, ReceivedFile};
use crate::core::failure::FailureClass;

/// What has happened so far; each number only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Jobs that brought their package, or ended once another one had.
    pub delivered: u64,
    /// Jobs that brought none, by the class of their failure.
    pub failed: BTreeMap<FailureClass, u64>,
    /// Jobs that nobody wanted any more.
    pub discarded: u64,
    /// Packages that were received and verified.
    pub packages: u64,
    /// The size of their files, in bytes.
    pub bytes: u64,
    /// Processor time of the builds that told it, in milliseconds.
    pub cpu_ms: u64,
}

impl Totals {
    /// Whether nothing was counted yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The failures of a class.
    pub fn failures(&self, class: FailureClass) -> u64 {
        self.failed.get(&class).copied().unwrap_or(0)
    }

    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::PackageReceived { file, cost, .. } => {
                grow(&mut self.packages, 1);
                grow(&mut self.bytes, size(file));
                grow(&mut self.cpu_ms, cost.map_or(0, |cost| cost.cpu_ms));
            }
            Event::JobEnded { outcome, .. } => match outcome {
                JobOutcome::Delivered => grow(&mut self.delivered, 1),
                JobOutcome::Failed { failure, .. } => grow(self.failed.entry(failure.class).or_default(), 1),
                JobOutcome::Discarded => grow(&mut self.discarded, 1),
            },
            _ => {}
        }
    }
}

fn grow(total: &mut u64, by: u64) {
    *total = total.saturating_add(by);
}

/// The size of a received file in bytes, as its entry in the index has it.
fn size(file: &ReceivedFile) -> u64 {
    let size = file.stanza.iter().find(|(key, _)| *key == "SIZE");
    size.and_then(|(_, size)| size.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Cost;
    use crate::core::failure::Failure;
    use crate::core::names::{BuildId, Timestamp};
    use crate::core::plan::PackageIndex;
    use crate::core::state::State;

    fn ended(outcome: JobOutcome) -> Event {
        Event::JobEnded { job: "b-1".parse().unwrap(), outcome, at: Timestamp(1) }
    }

    fn failed(class: FailureClass) -> Event {
        ended(JobOutcome::Failed { failure: Failure { class, reason: String::new() }, log: None })
    }

    fn received(size: &str) -> Event {
        let stanza = [("CPV", "a/b-1"), ("SIZE", size)].into_iter().collect();
        let file = ReceivedFile { path: "x".to_owned(), build_id: BuildId(1), stanza, imprint: None };
        let cost = Some(Cost { wall_ms: 1, cpu_ms: 70, width: 1, memory_mib: None });
        Event::PackageReceived { job: "b-1".parse().unwrap(), package: PackageIndex(0), file, cost, at: Timestamp(1) }
    }

    #[test]
    fn what_happens_is_counted_and_a_snapshot_keeps_it() {
        let mut totals = Totals::default();
        assert!(totals.is_empty());
        let events = [
            ended(JobOutcome::Delivered),
            failed(FailureClass::Build),
            failed(FailureClass::Lost),
            failed(FailureClass::Build),
            ended(JobOutcome::Discarded),
            received("7000000"),
            received("30"),
            received("what?"),
        ];
        events.iter().for_each(|event| totals.count(event));
        let Totals { delivered, discarded, packages, bytes, cpu_ms, .. } = totals;
        assert_eq!((delivered, discarded, packages, bytes, cpu_ms), (1, 1, 3, 7_000_030, 210));
        let classes = [FailureClass::Build, FailureClass::Lost, FailureClass::Fetch];
        assert_eq!(classes.map(|class| totals.failures(class)), [2, 1, 0]);
        let state = State { totals: totals.clone(), ..State::default() };
        let read = State::of_snapshot(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert_eq!(read.totals, totals);
    }
}
