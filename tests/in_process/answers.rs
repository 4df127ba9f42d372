//! Drones whose answers are garbled, early, late, or lost on the way.

use std::time::Duration;

use swarm::core::failure::FailureClass;

use crate::support::Fault;
use crate::support::drone::Spoil;
use crate::support::push::{Fleet, cpv, plan};
use crate::support::script::Call;

/// Every script of a job.
const STEPS: [Call; 11] = [
    Call::Claim,
    Call::Link,
    Call::Resolve,
    Call::Prepare,
    Call::Start,
    Call::Follow,
    Call::Watch,
    Call::Outcome,
    Call::Remove,
    Call::Tend,
    Call::Identities,
];

/// One drone, so that nobody else can make good what is lost there, and two packages, the second of which needs
/// the first as a binary.
fn lonely() -> Fleet {
    Fleet::new(plan(2, &[(1, 0)]), 1)
}

#[tokio::test(start_paused = true)]
async fn a_shells_noise_around_any_answer_changes_nothing() {
    for call in STEPS {
        let fleet = lonely();
        fleet.drones[0].always_spoil(call, Spoil::Noise);
        let pushed = fleet.push().await;
        println!("{call:?}");
        fleet.assert_complete_and_compiled_once(&pushed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_comes_before_the_output_changes_nothing() {
    for call in STEPS {
        let fleet = lonely();
        fleet.drones[0].always_spoil(call, Spoil::StatusFirst);
        let pushed = fleet.push().await;
        println!("{call:?}");
        fleet.assert_complete_and_compiled_once(&pushed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_status_is_asked_for_again_and_is_never_a_success() {
    for call in STEPS {
        let fleet = lonely();
        fleet.drones[0].spoil(call, Spoil::NoStatus);
        let pushed = fleet.push().await;
        println!("{call:?}");
        fleet.assert_complete_and_compiled_once(&pushed);
        assert!(fleet.drones[0].asked(call) > 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rubbish_in_place_of_an_answer_costs_no_build() {
    for call in STEPS {
        let fleet = lonely();
        fleet.drones[0].spoil(call, Spoil::Rubbish);
        let pushed = fleet.push().await;
        println!("{call:?}");
        fleet.assert_complete_and_compiled_once(&pushed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_talks_nothing_but_rubbish_leaves_the_work_to_the_others() {
    for call in [Call::Claim, Call::Resolve, Call::Outcome, Call::Start, Call::Identities] {
        let fleet = Fleet::new(plan(2, &[(1, 0)]), 2);
        fleet.drones[0].always_spoil(call, Spoil::Rubbish);
        let pushed = fleet.push().await;
        println!("{call:?} {:?}", pushed.failures());
        fleet.assert_complete(&pushed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_any_step_costs_no_build() {
    for call in STEPS {
        for spoil in [Spoil::CutBefore, Spoil::CutAfter] {
            let fleet = lonely();
            fleet.drones[0].spoil(call, spoil);
            let pushed = fleet.push().await;
            println!("{call:?} {spoil:?}");
            fleet.assert_complete_and_compiled_once(&pushed);
            assert_eq!(pushed.failures(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_any_file_costs_no_build() {
    for part in
        ["manifest.json", "settings", "wrapper", "/.build", "pkgs/.Packages", "pkgs/Packages", ".gpkg.tar", "/log"]
    {
        let fleet = lonely();
        fleet.drones[0].arm(Fault::CutOpening(part));
        let pushed = fleet.push().await;
        println!("{part}");
        fleet.assert_complete_and_compiled_once(&pushed);
        assert_eq!(pushed.failures(), []);
        assert!(fleet.drones[0].connections() > 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_at_each_fourth_script_costs_no_build() {
    let fleet = lonely();
    let mut asked = 0;
    fleet.drones[0].spoil_by(move |_| {
        asked += 1;
        (asked % 4 == 0).then_some(Spoil::CutAfter)
    });
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_late_in_a_build_of_hours_costs_no_build() {
    let fleet = lonely().lost_after(Duration::from_secs(60));
    fleet.workshop.all_take(Duration::from_secs(2 * 3600));
    fleet.drones[0].spoil(Call::Watch, Spoil::CutAfter);
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

#[tokio::test]
async fn a_package_that_is_cut_in_the_middle_is_fetched_from_there() {
    let fleet = Fleet::new(plan(1, &[]), 1);
    fleet.workshop.all_take(Duration::from_millis(50));
    fleet.workshop.set_image_size(20_000_000);
    fleet.drones[0].arm(Fault::CutAt(9_000_000));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    let sent: Vec<_> = fleet.drones[0].sent().into_iter().filter(|sent| sent.path.ends_with(".gpkg.tar")).collect();
    let first = sent[0].connection;
    let resumed = sent.iter().find(|sent| sent.connection != first).unwrap();
    assert!(resumed.offset > 0, "{resumed:?}");
    let total: u64 = sent.iter().map(|sent| sent.length).sum();
    let size = std::fs::metadata(fleet.path("staging").join("app-lab/package0x/package0x-1.0-1.gpkg.tar"));
    // What had left the drone and was on the way when the line broke came in vain; nothing else did.
    assert!(total < size.unwrap().len() + 9_000_000, "{total}");
}

#[tokio::test(start_paused = true)]
async fn a_package_that_comes_damaged_once_is_fetched_again() {
    let fleet = Fleet::new(plan(1, &[]), 1);
    fleet.drones[0].arm(Fault::CorruptAt(5_000));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert!(pushed.notes.iter().any(|note| note.contains("damaged")), "{:?}", pushed.notes);
}

#[tokio::test(start_paused = true)]
async fn a_drone_whose_packages_are_always_damaged_leaves_the_work_to_another() {
    let fleet = Fleet::new(plan(1, &[]), 2);
    fleet.drones[0].litter(|pkgdir| {
        let file = pkgdir.join(format!("{}-1.gpkg.tar", cpv(0).replace("/package0x-", "/package0x/package0x-")));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[5_000] ^= 1;
        std::fs::write(file, bytes).unwrap();
    });
    let pushed = fleet.push().await;
    fleet.assert_complete(&pushed);
    assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Transfer)]);
    fleet.assert_clean();
}
