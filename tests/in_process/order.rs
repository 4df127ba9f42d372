//! Whole pushes on drones that are well.

use std::time::{Duration, Instant};

use crate::support::push::{Fleet, cpv, plan};

#[tokio::test(start_paused = true)]
async fn a_chain_is_built_in_order_and_each_of_it_once() {
    let fleet = Fleet::new(plan(4, &[(1, 0), (2, 1), (3, 2)]), 2);
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert_eq!(pushed.received(), [cpv(0), cpv(1), cpv(2), cpv(3)]);
    assert!(pushed.took >= Duration::from_secs(4 * 600) && pushed.took < Duration::from_secs(4 * 610), "{pushed:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_sides_of_a_diamond_are_built_at_the_same_time_and_its_top_once() {
    let fleet = Fleet::new(plan(4, &[(1, 0), (2, 0), (3, 1), (3, 2)]), 2);
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert!(pushed.took < Duration::from_secs(3 * 610), "{pushed:#?}");
    let drones = |package: usize| fleet.workshop.builds().into_iter().find(|(built, _)| *built == cpv(package));
    assert_ne!(drones(1).unwrap().1, drones(2).unwrap().1);
}

/// Chains of ten in which each needs up to three of those shortly before it.
fn chains(size: usize) -> Vec<(usize, usize)> {
    let edges = (1..size).flat_map(|from| [1, 4, 9].map(|back| (from, from.saturating_sub(back))));
    edges.filter(|(from, to)| from / 10 == to / 10 && from > to).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_drones_build_a_hundred_packages_over_ssh() {
    let fleet = Fleet::new(plan(100, &chains(100)), 10).jobs(2);
    fleet.workshop.all_take(Duration::from_secs(90));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert_eq!(pushed.failures(), []);
}

#[tokio::test(start_paused = true)]
async fn fifty_drones_build_five_hundred_packages() {
    let fleet = Fleet::new(plan(500, &chains(500)), 50).jobs(2).direct();
    fleet.workshop.all_take(Duration::from_secs(90));
    let begun = Instant::now();
    let pushed = fleet.push().await;
    println!("{:?} of real time for {:?}", begun.elapsed(), pushed.took);
    fleet.assert_complete_and_compiled_once(&pushed);
    assert_eq!(pushed.failures(), []);
}
