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

#[tokio::test(start_paused = true)]
async fn fifty_drones_build_five_hundred_packages() {
    // Each needs two or three of those shortly before it.
    let edges: Vec<_> = (10..500).flat_map(|from| [1, 4, 9].map(|back| (from, from - back))).collect();
    let edges: Vec<_> = edges.into_iter().filter(|(from, to)| from % 10 >= from - to).collect();
    let fleet = Fleet::new(plan(500, &edges), 50).jobs(2).direct();
    fleet.workshop.all_take(Duration::from_secs(90));
    let begun = Instant::now();
    let pushed = fleet.push().await;
    println!("{:?} of real time for {:?}", begun.elapsed(), pushed.took);
    fleet.assert_complete_and_compiled_once(&pushed);
}
