//! Whether runs come when they are due: pure, from the last run and the moments at which it was to begin.

use crate::core::names::Timestamp;
use crate::core::state::Run;

/// A run that begins so long (seconds) after it was due is late: daemons look once a minute, and machines are busy.
const GRACE: u64 = 600;

/// What is to be said of the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Punctuality {
    /// It was not due since the entry was written.
    NotDueYet,
    /// It was due a moment ago, and may still begin.
    AboutToBegin,
    /// It was due and did not begin.
    Missing {
        /// When it was due.
        due: Timestamp,
        /// Since when an earlier one has been at work, which lets none begin beside it.
        at_work: Option<Timestamp>,
    },
    /// It began late.
    Late {
        /// When it was due.
        due: Timestamp,
        /// So many seconds after that it began.
        seconds: u64,
    },
    /// It has been at work beyond its deadline.
    Beyond {
        /// The deadline.
        deadline: Timestamp,
    },
    /// It is at work.
    AtWork {
        /// Since when.
        since: Timestamp,
    },
    /// It is over.
    Over {
        /// Its exit status.
        status: u8,
        /// What that means.
        reason: String,
        /// When it ended.
        at: Timestamp,
    },
}

impl Punctuality {
    /// Judges a playbook's last run. `due` is the last moment at which it was to begin, `written` when the entry was.
    pub fn of(last: Option<&Run>, due: Option<Timestamp>, written: Timestamp, now: Timestamp) -> Self {
        let due = due.filter(|due| *due > written);
        let unfinished = last.filter(|run| run.finished.is_none());
        if let Some(deadline) = unfinished.and_then(|run| run.deadline).filter(|deadline| *deadline < now) {
            return Self::Beyond { deadline };
        }
        // A run that names when it was due is that one's, whenever it began.
        let answers = |run: &&Run, due: Timestamp| run.due == Some(due) || run.started >= due;
        match (due, last.filter(|run| due.is_none_or(|due| answers(run, due)))) {
            (Some(due), None) if now.seconds_since(due) <= GRACE => match unfinished {
                Some(run) => Self::AtWork { since: run.started },
                None => Self::AboutToBegin,
            },
            (Some(due), None) => Self::Missing { due, at_work: unfinished.map(|run| run.started) },
            (Some(due), Some(run)) if run.due.unwrap_or(due) == due && run.started.seconds_since(due) > GRACE => {
                Self::Late { due, seconds: run.started.seconds_since(due) }
            }
            (_, Some(Run { finished: Some(end), .. })) => {
                Self::Over { status: end.status, reason: end.reason.clone(), at: end.at }
            }
            (_, Some(run)) => Self::AtWork { since: run.started },
            (None, None) => Self::NotDueYet,
        }
    }

    /// Whether the schedule does not work as it should.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Late { .. } | Self::Beyond { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::Finished;

    fn run(started: i64, due: Option<i64>, deadline: Option<i64>, finished: Option<i64>) -> Run {
        Run {
            id: "20261126T023000Z-nightly-world".parse().unwrap(),
            started: Timestamp(started),
            due: due.map(Timestamp),
            deadline: deadline.map(Timestamp),
            finished: finished.map(|at| Finished { status: 3, reason: "1 failed".to_owned(), at: Timestamp(at) }),
        }
    }

    #[test]
    fn a_run_is_missing_late_beyond_its_deadline_or_as_it_should_be() {
        let over = |at| Punctuality::Over { status: 3, reason: "1 failed".to_owned(), at: Timestamp(at) };
        let missing =
            |at_work: Option<i64>| Punctuality::Missing { due: Timestamp(10_000), at_work: at_work.map(Timestamp) };
        let late = Punctuality::Late { due: Timestamp(10_000), seconds: 700 };
        // The entry was written at 5,000 and was due at 10,000.
        for (name, last, now, expected, fault) in [
            ("about to begin", None, 10_300, Punctuality::AboutToBegin, false),
            ("never began", None, 10_601, missing(None), true),
            ("only an earlier one", Some(run(3000, None, None, Some(4000))), 11_000, missing(None), true),
            ("an earlier one is at work", Some(run(6000, None, None, None)), 11_000, missing(Some(6000)), true),
            ("punctual", Some(run(10_001, Some(10_000), None, Some(12_000))), 13_000, over(12_000), false),
            ("by hand, later", Some(run(11_900, Some(11_900), None, Some(12_000))), 13_000, over(12_000), false),
            ("late", Some(run(10_700, Some(10_000), None, Some(12_000))), 13_000, late.clone(), true),
            ("late, without its due time", Some(run(10_700, None, None, None)), 13_000, late, true),
            (
                "at work",
                Some(run(10_001, None, None, None)),
                13_000,
                Punctuality::AtWork { since: Timestamp(10_001) },
                false,
            ),
            (
                "beyond",
                Some(run(10_001, None, Some(12_500), None)),
                13_000,
                Punctuality::Beyond { deadline: Timestamp(12_500) },
                true,
            ),
            ("within its deadline", Some(run(10_001, None, Some(12_500), Some(12_400))), 13_000, over(12_400), false),
        ] {
            let found = Punctuality::of(last.as_ref(), Some(Timestamp(10_000)), Timestamp(5000), Timestamp(now));
            assert_eq!((found.is_fault(), found), (fault, expected), "{name}");
        }
        let fresh = |due| Punctuality::of(None, due, Timestamp(5000), Timestamp(20_000));
        assert_eq!(fresh(Some(Timestamp(4000))), Punctuality::NotDueYet);
        assert_eq!(fresh(None), Punctuality::NotDueYet);
    }
}
