//! The controller's own disks fill up: small file systems, in a mount namespace of the test's own.

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use swarm::controller::ControlError;
use swarm::core::event::Event;
use swarm::core::state::LowDisk;
use swarm::store::{Journal, StoreError};
use tokio::time::sleep;

use crate::support::mounts::in_private_mounts;
use crate::support::push::{Fleet, Pushed, cpv, plan};

/// Runs a test of this module in mounts of its own, with a clock that passes only while everybody waits.
fn with_small_disks<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    in_private_mounts(&format!("full::{name}"), "", |_| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(test());
    });
}

/// Lets a directory have a file system of so many MiB.
fn make_small(directory: &Path, mib: u64) {
    std::fs::create_dir_all(directory).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "small"]).arg(directory);
    assert!(mount.status().unwrap().success());
}

const FILLER: &str = "filler";

/// Fills its file system up, but for so many bytes.
fn fill(directory: &Path, but: u64) {
    let path = directory.join(FILLER);
    let mut filler = std::fs::File::create(&path).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    let length = filler.metadata().unwrap().len();
    filler.set_len(length.saturating_sub(but)).unwrap();
}

fn make_room(directory: &Path) {
    std::fs::remove_file(directory.join(FILLER)).unwrap();
}

/// Waits for as long as it takes, by the test's clock.
async fn until(is: impl Fn() -> bool) {
    while !is() {
        sleep(Duration::from_secs(1)).await;
    }
}

fn low_disk(fleet: &Fleet) -> Option<LowDisk> {
    Journal::state_of(&fleet.path("state")).unwrap().low_disk
}

/// What the journal says of disks: which were low, and that all were well again.
fn disks(pushed: &Pushed) -> Vec<Option<std::path::PathBuf>> {
    let of = |event: &Event| match event {
        Event::DiskLow { what, .. } => Some(Some(what.clone())),
        Event::DiskWell { .. } => Some(None),
        _ => None,
    };
    pushed.events.iter().filter_map(|(_, event)| of(event)).collect()
}

#[test]
fn packages_wait_on_their_drones_while_staging_is_full_and_nobody_is_blamed() {
    with_small_disks("packages_wait_on_their_drones_while_staging_is_full_and_nobody_is_blamed", || async {
        let fleet = Fleet::new(plan(4, &[(3, 0)]), 3);
        fleet.workshop.all_take(Duration::from_secs(600));
        let staging = fleet.path("staging");
        make_small(&staging, 8);
        let pushed = fleet
            .push_while(async {
                until(|| fleet.workshop.builds().len() == 3).await;
                fill(&staging, 0);
                until(|| low_disk(&fleet).is_some()).await;
                // All of them have ended by now, and what needs one of them has not begun.
                sleep(Duration::from_secs(1800)).await;
                assert_eq!(fleet.workshop.builds().len(), 3);
                assert!(fleet.drones.iter().all(|drone| drone.jobs().len() == 1));
                make_room(&staging);
                std::future::pending().await
            })
            .await;
        fleet.assert_complete_and_compiled_once(&pushed);
        assert_eq!(pushed.failures(), []);
        assert_eq!(disks(&pushed), [Some(staging), None]);
        assert!(pushed.notes.iter().any(|note| note.contains("staging is full")), "{:?}", pushed.notes);
    });
}

#[test]
fn nothing_starts_below_the_reserve_and_work_goes_on_by_itself() {
    with_small_disks("nothing_starts_below_the_reserve_and_work_goes_on_by_itself", || async {
        let fleet = Fleet::new(plan(2, &[(1, 0)]), 1);
        fleet.workshop.all_take(Duration::from_secs(600));
        let production = fleet.path("disk");
        make_small(&production, 40);
        std::os::unix::fs::symlink(production.join("staging"), fleet.path("staging")).unwrap();
        std::fs::create_dir(production.join("staging")).unwrap();
        let pushed = fleet
            .push_while(async {
                until(|| fleet.workshop.builds().len() == 1).await;
                // A twentieth is the reserve: what runs is taken, what comes next waits.
                fill(&production, 1_900_000);
                until(|| low_disk(&fleet).is_some()).await;
                sleep(Duration::from_secs(7200)).await;
                assert_eq!(fleet.workshop.builds().len(), 1);
                assert!(fleet.drones[0].jobs().is_empty(), "the first one has been taken");
                make_room(&production);
                std::future::pending().await
            })
            .await;
        fleet.assert_complete_and_compiled_once(&pushed);
        assert_eq!(pushed.received(), [cpv(0), cpv(1)]);
        assert_eq!(disks(&pushed), [Some(fleet.path("staging")), None]);
        let (low, well) = (disk_moment(&pushed, 0), disk_moment(&pushed, 1));
        assert!(well - low >= 7200, "{low} {well}");
    });
}

/// The moment of the push's disk event of this number.
fn disk_moment(pushed: &Pushed, number: usize) -> i64 {
    let is = |event: &Event| matches!(event, Event::DiskLow { .. } | Event::DiskWell { .. });
    pushed.events.iter().filter(|(_, event)| is(event)).nth(number).unwrap().0.0
}

#[test]
fn a_full_disk_of_the_journal_ends_the_controller_in_order_and_the_next_push_goes_on() {
    with_small_disks("a_full_disk_of_the_journal_ends_the_controller_in_order_and_the_next_push_goes_on", || async {
        let fleet = Fleet::new(plan(3, &[(2, 0)]), 2);
        fleet.workshop.all_take(Duration::from_secs(600));
        let state = fleet.path("state");
        make_small(&state, 8);
        let pushed = fleet
            .push_while(async {
                until(|| fleet.workshop.builds().len() == 2).await;
                fill(&state, 0);
                std::future::pending().await
            })
            .await;
        let Err(ControlError::Store(error @ StoreError::Full { .. })) = pushed.finish else { panic!("{pushed:?}") };
        assert!(error.to_string().contains("go on with `swarm push`"), "{error}");
        assert!(fleet.drones.iter().all(|drone| drone.jobs().len() == 1), "what was built waits there");
        make_room(&state);
        let pushed = fleet.push().await;
        fleet.assert_complete_and_compiled_once(&pushed);
        assert_eq!(pushed.failures(), []);
    });
}
