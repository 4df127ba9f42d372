//! The settings for a build on a fleet, chosen by playing it through on the estimates.
//!
//! A fixed list of settings is tried, in an order that depends on nothing; the one with which the build is over first
//! is taken. No setting is fitted to a graph by hand. The work is bounded by `budget`, counted in packages played.

use super::graph::Graph;
use super::model::{self, Outcome};
use super::policy::{Drone, Preference, Scheduler, Settings};
use crate::seeded::Seeded;

/// Packages played at the most: a second or so, and the whole list for builds of up to a thousand or two.
pub const BUDGET: usize = 120_000;
/// The settings that are tried, the plain ones first.
const TRIED: usize = 64;
const SEED: u64 = 2;

/// The best settings, and what they promise.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// The settings.
    pub settings: Settings,
    /// How the build goes with them, if the estimates are true; none where the budget allows no look at it.
    pub promise: Option<Outcome>,
}

/// Chooses settings. The same graph, fleet and budget give the same answer.
pub fn tune(graph: &Graph, fleet: &[Drone], budget: usize) -> Tuned {
    let affordable = (budget / graph.len().max(1)).min(TRIED);
    let mut best = Tuned { settings: Settings::default(), promise: None };
    for settings in list().into_iter().take(affordable) {
        let outcome = model::play(graph, fleet, &settings, &[], |_, _, _| {});
        if best.promise.is_none_or(|known| outcome.makespan < known.makespan) {
            best = Tuned { settings, promise: Some(outcome) };
        }
    }
    best
}

/// A scheduler with the best settings.
pub fn tuned<'a>(graph: &'a Graph, fleet: &[Drone]) -> Scheduler<'a> {
    Scheduler::new(graph, fleet, tune(graph, fleet, BUDGET).settings)
}

fn list() -> Vec<Settings> {
    let mut chance = Seeded::new(SEED);
    let mut pick = |values: &[f64]| values.get(chance.below(values.len())).copied().unwrap_or_default();
    let sampled = (1..TRIED).map(|_| Settings {
        share: pick(&[0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        room: pick(&[1.0, 1.25, 1.5]),
        persistence: pick(&[0.0, 0.5]),
        pace: pick(&[0.9, 1.0]),
        crowd: pick(&[2.0, 3.0]),
        regard: pick(&[0.1, 0.3, 1.0]),
        impatience: pick(&[0.0, 1.0]),
        spread: pick(&[0.0, 1.0, 4.0]),
        preference: match pick(&[0.0, 1.0, 2.0, 3.0]) as u8 {
            0 => Preference::LeastLoad,
            1 => Preference::Slowest,
            2 => Preference::Earliest,
            _ => Preference::EarliestAtAnyWidth,
        },
        fill: pick(&[0.0, 1.0]) > 0.5,
        greedy: pick(&[0.0, 1.0, 1.0]) > 0.5,
        reserve: pick(&[0.0, 4.0, 8.0, 40.0]) as usize,
    });
    std::iter::once(Settings::default()).chain(sampled).collect()
}
