//! Properties of the scheduler on graphs of all shapes, and how good it is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::baseline::{self, Order};
use super::generate::generate;
use super::graph::{Cost, Graph};
use super::model::{self, Outcome};
use super::policy::{Drone, Settings};
use super::tune;

fn fleet(cores: &[u32]) -> Vec<Drone> {
    cores.iter().map(|cores| Drone::of_cores(*cores)).collect()
}

fn made(size: usize, seed: u64) -> Graph {
    let text: String = generate(size, seed).iter().map(|task| serde_json::to_string(task).unwrap() + "\n").collect();
    Graph::read(&text).unwrap().0
}

/// Plays a build and checks at each step that what a package needs is there and that memory is respected.
fn checked(graph: &Graph, fleet: &[Drone], settings: &Settings, noise: &[f64]) -> Outcome {
    let mut built = vec![false; graph.len()];
    let mut running: BTreeMap<u32, usize> = BTreeMap::new();
    let outcome = model::play(graph, fleet, settings, noise, |_, package, decision| match decision {
        Some(decision) => {
            assert!(graph.needs(package).iter().all(|need| built[*need as usize]));
            assert!((1..=fleet[decision.drone].cores).contains(&decision.width));
            assert!(running.insert(package, decision.drone).is_none());
            let here: Vec<u64> = running
                .iter()
                .filter(|(_, drone)| **drone == decision.drone)
                .map(|(package, _)| graph.cost(*package).memory)
                .collect();
            let within = fleet[decision.drone].memory.is_none_or(|memory| here.iter().sum::<u64>() <= memory);
            assert!(within || here.len() == 1);
        }
        None => {
            assert!(running.remove(&package).is_some());
            built[package as usize] = true;
        }
    });
    assert!(built.into_iter().all(|built| built));
    outcome
}

prop_compose! {
    fn graphs()(
        costs in prop::collection::vec((0.0..100.0f64, prop_oneof![Just(0.0), 0.0..1000.0f64], 0..40_000u64), 1..30),
        needs in prop::collection::vec((0..30usize, 0..30usize), 0..80),
    ) -> Graph {
        let mut list = vec![Vec::new(); costs.len()];
        for (from, to) in needs {
            if to < from && from < costs.len() {
                list[from].push(to as u32);
            }
        }
        let costs = costs.into_iter().map(|(serial, cpu, memory)| Cost { serial, cpu, memory }).collect();
        Graph::new(costs, list).unwrap()
    }
}

proptest! {
    #[test]
    fn every_build_ends_in_order_and_within_memory(
        graph in graphs(),
        drones in prop::collection::vec((1..40u32, prop::option::of(1_000..64_000u64), prop::option::of(1..4u32)), 1..5),
        deviation in 0.0..0.5f64,
        seed in any::<u64>(),
    ) {
        let fleet: Vec<Drone> =
            drones.into_iter().map(|(cores, memory, jobs)| Drone { cores, memory, jobs }).collect();
        let noise = model::noise(graph.len(), deviation, seed);
        let outcome = checked(&graph, &fleet, &Settings::default(), &noise);
        prop_assert!(outcome.utilisation <= 1.0 + 1e-6);
        let outcome = checked(&graph, &fleet, &Settings::default(), &[]);
        prop_assert!(outcome.makespan >= model::lower_bound(&graph, &fleet) * (1.0 - 1e-6));
    }
}

#[test]
fn a_chain_runs_at_full_width_on_the_fastest_drone() {
    let cost = Cost { serial: 10.0, cpu: 80.0, memory: 0 };
    let graph = Graph::new(vec![cost; 3], vec![vec![], vec![0], vec![1]]).unwrap();
    let fleet = fleet(&[2, 8, 4]);
    let outcome = checked(&graph, &fleet, &Settings::default(), &[]);
    assert!((outcome.makespan - 60.0).abs() < 1e-6, "{outcome:?}");
}

#[test]
fn the_same_build_is_played_the_same_way() {
    let (graph, fleet) = (made(200, 1), fleet(&[16, 8, 8]));
    let play = || {
        let mut all = Vec::new();
        model::play(&graph, &fleet, &Settings::default(), &[], |at, package, what| {
            all.push((at, package, what.copied()))
        });
        all
    };
    assert_eq!(play(), play());
}

#[test]
fn a_generated_graph_is_the_same_for_the_same_seed() {
    assert_eq!(generate(300, 5), generate(300, 5));
    assert_ne!(generate(300, 5), generate(300, 6));
}

#[test]
fn it_is_never_worse_than_one_build_a_drone() {
    for seed in 0..3 {
        let graph = made(150, seed);
        for cores in [&[8][..], &[16, 16], &[64, 2, 1], &[8, 8, 4, 4, 4, 2], &[4; 100]] {
            let fleet = fleet(cores);
            let tuned = tune::tune(&graph, &fleet, 150 * 8);
            let ours = checked(&graph, &fleet, &tuned.settings, &[]).makespan;
            for order in [Order::Merge, Order::CriticalPath] {
                let simple = baseline::one_a_drone(&graph, cores, order, &[]);
                assert!(ours <= simple * 1.0001, "{seed} {cores:?} {order:?}: {ours} after {simple}");
            }
        }
    }
}

/// A real bulk build; no copy of it is kept here.
fn real() -> Option<Graph> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/bulk-1815.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("{} is not there: nothing is tested", path.display());
        return None;
    };
    Some(Graph::read(&text).unwrap().0)
}

/// The fleets of the bars, with the highest ratio of makespan and lower bound.
const BARS: [(&[u32], f64); 4] = [
    (&[16, 16, 16, 16], 1.12),
    (&[32, 16, 8, 4], 1.25),
    (&[64, 8, 4, 4, 2], 1.25),
    (&[32, 32, 24, 24, 16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 4, 4], 1.02),
];

#[test]
#[ignore = "plays a large build hundreds of times: a minute without optimisation"]
fn a_real_build_comes_close_to_the_lower_bound() {
    let Some(graph) = real() else { return };
    for (cores, bar) in BARS {
        let fleet = fleet(cores);
        let tuned = tune::tune(&graph, &fleet, tune::BUDGET);
        let bound = model::lower_bound(&graph, &fleet);
        let ratio = checked(&graph, &fleet, &tuned.settings, &[]).makespan / bound;
        let noisy = (1..=5).map(|seed| {
            let noise = model::noise(graph.len(), 0.3, seed);
            checked(&graph, &fleet, &tuned.settings, &noise).makespan / bound
        });
        let noisy = noisy.sum::<f64>() / 5.0;
        println!("{cores:?}: {ratio:.4}, with noise {noisy:.3}");
        assert!(ratio < bar, "{cores:?}: {ratio}");
    }
}
