//! Graphs of the shape of a real bulk build: heavy-tailed times, hubs that most things need, layers.

use super::graph::Task;
use super::random::{normal, uniform};
use crate::seeded::Seeded;

/// Seconds of the middle package, and how far others lie from it: log-normal laws, the constants being the medians and
/// the standard deviations of the logarithm.
const SERIAL_MEDIAN: f64 = 30.0;
const CPU_MEDIAN: f64 = 15.0;
const SERIAL_SPREAD: f64 = 0.9;
const CPU_SPREAD: f64 = 2.1;
/// One package of so many is a giant: a compiler, a browser.
const GIANTS: usize = 150;
const GIANT_FACTOR: f64 = 60.0;
const MOST_CPU: f64 = 60_000.0;
/// Needs at the most; the mean is near ten.
const MOST_NEEDS: usize = 19;
/// One package of so many at the beginning is a hub.
const HUBS: usize = 40;

/// A graph of `size` packages; the same seed gives the same graph.
pub fn generate(size: usize, seed: u64) -> Vec<Task> {
    let mut chance = Seeded::new(seed);
    let hubs = (size / HUBS).clamp(1, 60);
    (0..size)
        .map(|index| {
            let giant = chance.below(GIANTS) == 0;
            let serial = SERIAL_MEDIAN * (SERIAL_SPREAD * normal(&mut chance)).exp() * if giant { 8.0 } else { 1.0 };
            let cpu = CPU_MEDIAN * (CPU_SPREAD * normal(&mut chance)).exp() * if giant { GIANT_FACTOR } else { 1.0 };
            let needs = needs(index, hubs, &mut chance);
            Task {
                name: name(index),
                serial_s: rounded(serial),
                cpu_s: rounded(cpu.min(MOST_CPU)),
                deps: needs.into_iter().map(name).collect(),
                memory_mib: Some(200 + (cpu.min(MOST_CPU) / 8.0) as u64),
            }
        })
        .collect()
}

/// The first packages are a chain, as a tool chain is; later ones need hubs and some of what comes shortly before.
fn needs(index: usize, hubs: usize, chance: &mut Seeded) -> std::collections::BTreeSet<usize> {
    let mut needs = std::collections::BTreeSet::new();
    if index == 0 {
        return needs;
    }
    if index < hubs / 2 {
        needs.insert(index - 1);
        return needs;
    }
    for _ in 0..chance.below(MOST_NEEDS + 1).max(1) {
        let need = if chance.below(4) < 3 {
            // Hubs: the earlier, the more need them.
            let share = uniform(chance);
            (share * share * hubs.min(index) as f64) as usize
        } else {
            let share = uniform(chance);
            index - 1 - (share * share * (index - 1) as f64) as usize
        };
        needs.insert(need.min(index - 1));
    }
    needs
}

fn name(index: usize) -> String {
    format!("package{index}x-1.0")
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
