//! How far estimates were from what builds then took: each build is held against what was known before it.
//!
//! What was learned is learned anew once a further one in twenty of the builds is known, which bounds the work. A
//! package's first build is not judged: it says how well others stand for it, which is another question.

use std::collections::HashSet;

use serde::Serialize;

use super::event::Event;
use super::names::{HostName, Timestamp};
use super::package::Cpv;
use super::state::State;
use super::status::Moment;
use crate::schedule::estimate::{History, Sample, USUAL_WIDTH};

/// What was learned is learned anew once a further one in so many of the builds is known.
const ANEW: usize = 20;
/// What is shorter (seconds) is taken to be as long as this: it is not worth a factor.
const SHORTEST: f64 = 0.1;

/// A build, and what it was taken to last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// What was built.
    pub cpv: Cpv,
    /// Where; none where that is not known.
    pub drone: Option<HostName>,
    /// When it ended.
    pub at: Moment,
    /// What it was taken to last, in seconds.
    pub expected_s: f64,
    /// What it did last, in seconds.
    pub took_s: f64,
}

impl Judged {
    /// By what factor the estimate was off, in either direction; 1 at the least.
    pub fn factor(&self) -> f64 {
        (self.expected_s / self.took_s).max(self.took_s / self.expected_s)
    }
}

/// The factor that a share of the estimates stays within, from 0 to 1; `judged` is in the order of factors.
pub fn factor_at(judged: &[Judged], share: f64) -> f64 {
    judged.get((judged.len() as f64 * share) as usize).map_or(1.0, Judged::factor)
}

/// Holds estimates against builds, event by event.
#[derive(Debug, Default)]
pub struct Accuracy {
    state: State,
    known: History,
    later: Vec<Sample>,
    /// Each build is judged once, however often its log is imported.
    seen: HashSet<(Cpv, Option<HostName>, Timestamp)>,
    count: usize,
    judged: Vec<Judged>,
}

impl Accuracy {
    /// Takes in the next event.
    pub fn take(&mut self, event: &Event) {
        let package = match event {
            Event::PackageReceived { job, package, .. } => self.state.jobs.get(job).and_then(|job| {
                let build = self.state.builds.get(&job.build)?;
                (job.package == *package).then(|| build.identity(*package).cpv.package_name())
            }),
            Event::HistoryImported { samples } => {
                samples.iter().for_each(|sample| self.take_sample(sample.clone()));
                None
            }
            _ => None,
        };
        // An event that does not fit is told of by whoever replays the journal to go on from it.
        let _told = self.state.apply(event);
        if let Some(sample) = package.and_then(|package| self.state.history.of(&package).last().cloned()) {
            self.take_sample(sample);
        }
    }

    fn take_sample(&mut self, sample: Sample) {
        if self.seen.insert((sample.cpv.clone(), sample.drone.clone(), sample.at)) {
            self.later.push(sample);
        }
        if self.later.len() > self.count / ANEW {
            self.judge();
        }
    }

    fn judge(&mut self) {
        let model = self.known.model();
        self.count += self.later.len();
        for sample in &self.later {
            let package = sample.cpv.package_name();
            if self.known.of(&package).next().is_none() {
                continue;
            }
            let width = sample.width.unwrap_or(USUAL_WIDTH);
            let expected_s = model.estimate(&package, sample.drone.as_ref()).wall_s(width).max(SHORTEST);
            let (took_s, at) = (sample.wall_s.max(SHORTEST), Moment(sample.at));
            let (cpv, drone) = (sample.cpv.clone(), sample.drone.clone());
            self.judged.push(Judged { cpv, drone, at, expected_s, took_s });
        }
        self.later.drain(..).for_each(|sample| self.known.add(sample));
    }

    /// What was judged, the best estimate first.
    pub fn judged(mut self) -> Vec<Judged> {
        self.judge();
        self.judged.sort_by(|left, right| left.factor().total_cmp(&right.factor()));
        self.judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, wall_s: f64, at: i64) -> Sample {
        let cpv = format!("app-lab/{name}-1.0").parse().unwrap();
        Sample { cpv, wall_s, cpu_s: None, width: None, memory_mib: None, drone: None, at: Timestamp(at) }
    }

    #[test]
    fn a_build_is_held_against_what_was_known_before_it_and_a_first_one_against_nothing() {
        let mut accuracy = Accuracy::default();
        for samples in [
            vec![sample("once", 5.0, 1), sample("hello", 100.0, 2)],
            vec![sample("hello", 200.0, 3)],
            // Of another host's log, a second time.
            vec![sample("hello", 200.0, 3)],
        ] {
            accuracy.take(&Event::HistoryImported { samples });
        }
        let judged = accuracy.judged();
        assert_eq!(judged.len(), 1, "{judged:?}");
        assert!((judged[0].took_s - 200.0).abs() < 1e-9 && judged[0].factor() > 1.5, "{judged:?}");
        assert!((factor_at(&judged, 0.5) - judged[0].factor()).abs() < 1e-9);
        assert!((factor_at(&[], 0.9) - 1.0).abs() < 1e-9);
    }
}
