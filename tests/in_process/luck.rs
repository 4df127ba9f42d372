//! Pushes of random plans on random fleets, with faults that come from a seed.
//!
//! What holds whatever happens: the push ends complete, each package is staged once and whole, was built on top of all
//! that it needs, and no drone keeps anything. As long as every drone stays within reach or comes back in time,
//! nothing is compiled twice either.

use std::time::Duration;

use tokio::time::sleep;

use crate::seeded::Seeded;
use crate::support::drone::Spoil;
use crate::support::push::{Fleet, plan};

/// So many pushes; SWARM_SEED=N begins elsewhere.
const PUSHES: u64 = 60;

/// A fleet and plan from a seed.
fn fleet(luck: &mut Seeded) -> Fleet {
    let size = 1 + luck.below(9);
    let edges: Vec<_> = (0..luck.below(2 * size)).map(|_| (luck.below(size), luck.below(size))).collect();
    let edges: Vec<_> = edges.into_iter().filter(|(from, to)| from > to).collect();
    let jobs = 1 + luck.below(3) as u32;
    Fleet::new(plan(size, &edges), 1 + luck.below(4)).jobs(jobs).direct()
}

fn seeds() -> std::ops::Range<u64> {
    let first = std::env::var("SWARM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    first..first + PUSHES
}

#[tokio::test(start_paused = true)]
async fn with_any_luck_of_the_lines_nothing_is_lost_and_nothing_compiled_twice() {
    const SPOILS: [Spoil; 6] =
        [Spoil::CutBefore, Spoil::CutAfter, Spoil::Freeze, Spoil::Noise, Spoil::StatusFirst, Spoil::NoStatus];
    for seed in seeds() {
        let mut luck = Seeded::new(seed);
        let fleet = fleet(&mut luck);
        for (number, drone) in fleet.drones.iter().enumerate() {
            let mut luck = Seeded::new(seed * 100 + number as u64 + 1);
            drone.spoil_by(move |_| (luck.below(12) == 0).then(|| SPOILS[luck.below(SPOILS.len())]));
        }
        println!("seed {seed}");
        let pushed = fleet.push().await;
        fleet.assert_complete(&pushed);
        let times = fleet.workshop.compilations();
        assert!(times.values().all(|times| *times == 1), "{times:?}\n{pushed:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_any_luck_of_the_drones_every_package_is_received_once() {
    for seed in seeds() {
        let mut luck = Seeded::new(seed);
        let fleet = fleet(&mut luck);
        println!("seed {seed}");
        let events = async {
            loop {
                sleep(Duration::from_secs(60 + luck.below(900) as u64)).await;
                let drone = &fleet.drones[luck.below(fleet.drones.len())];
                match luck.below(3) {
                    0 => drone.cut(),
                    1 => drone.vanish(),
                    _ => drone.lose_power(),
                }
                sleep(Duration::from_secs(luck.below(400) as u64)).await;
                drone.come_back();
            }
        };
        let pushed = fleet.push_while(events).await;
        fleet.assert_complete(&pushed);
    }
}
