//! Drones that lie, fail, fill up, vanish, and come back.

use std::path::Path;
use std::time::Duration;

use swarm::controller::now;
use swarm::controller::run::Finish;
use swarm::core::decide::End;
use swarm::core::event::Event;
use swarm::core::failure::FailureClass;
use swarm::core::names::Timestamp;
use swarm::core::package::Identity;
use swarm::drone::facts;
use tokio::time::sleep;

use crate::support::Fault;
use crate::support::drone::Spoil;
use crate::support::push::{Fleet, cpv, plan};
use crate::support::script::Call;

fn hours(number: u64) -> Duration {
    Duration::from_secs(number * 3600)
}

/// The package as a drone with another USE would have it.
fn with_ssl(fleet: &Fleet) -> Identity {
    let mut identity = fleet.workshop.identity(&cpv(0).parse().unwrap()).unwrap().clone();
    identity.use_flags = identity.use_flags.iter().chain(["ssl"]).collect();
    identity
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_would_build_with_other_flags_gets_nothing() {
    let fleet = Fleet::new(plan(2, &[]), 2);
    fleet.drones[0].offer(Call::Identities, with_ssl(&fleet));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert_eq!(fleet.drones[0].asked(Call::Claim), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_resolves_to_other_flags_builds_nothing() {
    let fleet = Fleet::new(plan(1, &[]), 2);
    fleet.drones[0].offer(Call::Resolve, with_ssl(&fleet));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Parity)]);
}

#[tokio::test(start_paused = true)]
async fn a_package_with_other_flags_than_planned_is_refused_and_built_elsewhere() {
    let fleet = Fleet::new(plan(1, &[]), 2);
    fleet.drones[0].tamper(|package| {
        package.metadata.insert("USE".to_owned(), "amd64 nls ssl".to_owned());
    });
    let pushed = fleet.push().await;
    fleet.assert_complete(&pushed);
    let failures = pushed.failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].reason.contains("USE"), "{failures:?}");
    fleet.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn whatever_else_an_index_lists_is_of_no_concern() {
    let fleet = Fleet::new(plan(2, &[(1, 0)]), 1);
    fleet.drones[0].litter(|pkgdir| {
        let index = pkgdir.join("Packages");
        let mut text = std::fs::read_to_string(&index).unwrap();
        for path in ["../../../../etc/passwd", "/etc/passwd", "app-lab/other/../../../x-1.gpkg.tar"] {
            text.push_str(&format!("CPV: app-lab/other-1.0\nPATH: {path}\nSIZE: 10\nMD5: 0\nSHA1: 0\nBUILD_ID: 1\n\n"));
        }
        // Its own name, with a way out, before and behind the true one.
        text.push_str(&format!("CPV: {}\nPATH: ../{0}-1.gpkg.tar\nSIZE: 10\nBUILD_ID: 1\n\n", cpv(0)));
        text.push_str(
            "CPV: dev-lang/foreign-3.0\nPATH: dev-lang/foreign/foreign-3.0-9.gpkg.tar\nSIZE: 0\nBUILD_ID: 9\n\n",
        );
        text.push_str(&format!("CPV: app-lab/long-1.0\nDESC: {}\n\n", "x".repeat(10 << 20)));
        std::fs::create_dir_all(pkgdir.join("dev-lang/foreign")).unwrap();
        std::fs::write(pkgdir.join("dev-lang/foreign/foreign-3.0-9.gpkg.tar"), "").unwrap();
        std::fs::write(index, text).unwrap();
    });
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

/// Leaves an index and a file of its own in place of what a build left.
fn spoilt(pkgdir: &Path, text: &str, package: Option<&[u8]>) {
    std::fs::write(pkgdir.join("Packages"), text).unwrap();
    if let Some(bytes) = package {
        std::fs::write(pkgdir.join("app-lab/package0x/package0x-1.0-1.gpkg.tar"), bytes).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_leaves_no_sound_package_or_index_leaves_the_work_to_another() {
    let entry = |more: &str| {
        format!(
            "ARCH: amd64\n\nCPV: {}\nPATH: app-lab/package0x/package0x-1.0-1.gpkg.tar\nBUILD_ID: 1\n{more}\n",
            cpv(0)
        )
    };
    let empty = "MD5: d41d8cd98f00b204e9800998ecf8427e\nSHA1: da39a3ee5e6b4b0d3255bfef95601890afd80709\n";
    let cases: [(String, Option<&[u8]>); 6] = [
        (String::new(), None),
        ("\u{0}\u{1}\u{fffd} rubbish".repeat(1000), None),
        (entry(""), None),
        (entry(&format!("SIZE: 0\n{empty}")), Some(b"")),
        (entry(&format!("SIZE: 99999999\n{empty}")), None),
        ("VERSION: 99\n".to_owned(), None),
    ];
    for (text, package) in cases {
        let fleet = Fleet::new(plan(1, &[]), 2);
        let (index, bytes) = (text.clone(), package.map(<[u8]>::to_vec));
        fleet.drones[0].litter(move |pkgdir| spoilt(pkgdir, &index, bytes.as_deref()));
        let pushed = fleet.push().await;
        println!("{:.80}", text);
        fleet.assert_complete(&pushed);
        assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Transfer)]);
        fleet.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_build_that_fails_on_one_drone_is_tried_on_another() {
    let fleet = Fleet::new(plan(1, &[]), 2);
    fleet.drones[0].fail(&cpv(0), 1, " * ERROR: app-lab/package0x-1.0::gentoo failed (compile phase):\n *   no luck\n");
    let pushed = fleet.push().await;
    fleet.assert_complete(&pushed);
    assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Build)]);
    let kept = fleet.path("state/logs/app-lab/package0x-1.0/build1-1.log");
    assert!(std::fs::read_to_string(kept).unwrap().contains("no luck"));
    fleet.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_build_that_fails_on_two_drones_has_failed_and_the_rest_goes_on() {
    let fleet = Fleet::new(plan(3, &[(1, 0)]), 3);
    for drone in &fleet.drones {
        drone.fail(&cpv(0), 1, "no luck\n");
    }
    let pushed = fleet.push().await;
    assert!(matches!(pushed.finish, Ok(Finish::Ended(End::SomeFailed))), "{pushed:?}");
    assert_eq!((pushed.failed(), pushed.received()), (vec![cpv(0)], vec![cpv(2)]));
    assert_eq!(fleet.workshop.compilations()[&cpv(0)], 2);
    fleet.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_what_runs_is_received_and_nothing_new_is_started() {
    let mut fleet = Fleet::new(plan(3, &[(1, 0), (2, 1)]), 2);
    fleet.workshop.all_take(hours(2));
    fleet.until(Some(Timestamp(now().0 + 3 * 3600)));
    let pushed = fleet.push().await;
    assert!(matches!(pushed.finish, Ok(Finish::OutOfTime)), "{pushed:?}");
    assert_eq!(pushed.received(), [cpv(0), cpv(1)]);
    assert!(pushed.took >= hours(4) && pushed.took < hours(5), "{:?}", pushed.took);

    // One that is over before it begins starts nothing, and the next one goes on.
    fleet.until(Some(now()));
    let pushed = fleet.push().await;
    assert!(matches!(pushed.finish, Ok(Finish::OutOfTime)), "{pushed:?}");
    fleet.until(None);
    fleet.assert_complete_and_compiled_once(&fleet.push().await);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_counts_against_its_drone_and_the_work_goes_elsewhere() {
    let on_the_way = Fleet::new(plan(1, &[]), 2);
    on_the_way.drones[0].arm(Fault::Full(0));
    let in_the_build = Fleet::new(plan(1, &[]), 2);
    in_the_build.drones[0].fail(&cpv(0), 1, "cc1: error: No space left on device\n");
    for fleet in [on_the_way, in_the_build] {
        let pushed = fleet.push().await;
        fleet.assert_complete(&pushed);
        assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Resource)]);
        fleet.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_is_short_of_space_or_has_a_wrong_clock_gets_nothing() {
    let fleet = Fleet::new(plan(2, &[]), 3);
    fleet.drones[0].machine.set_space_kib(1000);
    fleet.drones[1].machine.set_clock_ahead(900);
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
    assert!(fleet.workshop.builds().iter().all(|(_, drone)| drone == "drone2"));
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_vanishes_for_a_while_keeps_its_build() {
    let fleet = Fleet::new(plan(1, &[]), 2);
    fleet.workshop.all_take(hours(2));
    let drone = &fleet.drones[0];
    let pushed = fleet
        .push_while(async {
            sleep(hours(1)).await;
            drone.vanish();
            sleep(Duration::from_secs(400)).await;
            drone.come_back();
            std::future::pending().await
        })
        .await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_stays_away_loses_its_build_to_another_and_does_no_harm_when_it_is_back() {
    // The second package keeps the push going until the lost one is back.
    let fleet = Fleet::new(plan(2, &[(1, 0)]), 2);
    fleet.workshop.takes(&cpv(0), hours(1));
    fleet.workshop.takes(&cpv(1), hours(3));
    let drone = &fleet.drones[0];
    let pushed = fleet
        .push_while(async {
            sleep(Duration::from_secs(600)).await;
            drone.vanish();
            sleep(hours(2)).await;
            drone.come_back();
            std::future::pending().await
        })
        .await;
    fleet.assert_complete(&pushed);
    // What cannot be reached cannot be stopped: it was built there, too, and is thrown away.
    assert_eq!(fleet.workshop.compilations()[&cpv(0)], 2);
    assert_eq!(pushed.received(), [cpv(0), cpv(1)]);
    fleet.assert_clean();
    let away = pushed.events.iter().find_map(|(at, event)| match event {
        Event::DroneAway { drone, .. } if drone.as_str() == "drone0" => Some(at.0),
        _ => None,
    });
    let given_up = pushed.events.iter().find_map(|(at, event)| match event {
        Event::JobGivenUp { .. } => Some(at.0),
        _ => None,
    });
    let begun = pushed.events[0].0.0;
    let (away, given_up) = (away.unwrap() - begun, given_up.unwrap() - begun);
    assert!((600..=661).contains(&away), "noticed after {} s", away - 600);
    assert!((1200..=1300).contains(&given_up), "given up after {} s", given_up - 600);
}

#[tokio::test(start_paused = true)]
async fn of_two_drones_that_have_finished_the_same_package_the_first_is_taken() {
    let fleet = Fleet::new(plan(2, &[]), 2);
    fleet.workshop.takes(&cpv(0), hours(1));
    fleet.workshop.takes(&cpv(1), hours(3));
    // The first drone is back after the second has begun, and before that one is done.
    let (first, second) = (&fleet.drones[0], &fleet.drones[1]);
    second.vanish();
    let pushed = fleet
        .push_while(async {
            sleep(Duration::from_secs(300)).await;
            second.come_back();
            sleep(Duration::from_secs(600)).await;
            first.vanish();
            sleep(Duration::from_secs(3000)).await;
            first.come_back();
            std::future::pending().await
        })
        .await;
    fleet.assert_complete(&pushed);
    assert_eq!(pushed.received().iter().filter(|received| **received == cpv(0)).count(), 1);
    fleet.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_loses_power_loses_its_build_which_is_begun_again() {
    let fleet = Fleet::new(plan(1, &[]), 1);
    let drone = &fleet.drones[0];
    let pushed = fleet
        .push_while(async {
            sleep(Duration::from_secs(300)).await;
            drone.lose_power();
            sleep(Duration::from_secs(120)).await;
            drone.come_back();
            std::future::pending().await
        })
        .await;
    fleet.assert_complete(&pushed);
    assert_eq!(pushed.failure_classes(), [("drone0".to_owned(), FailureClass::Lost)]);
    fleet.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_comes_back_with_another_host_key_gets_nothing_more() {
    let fleet = Fleet::new(plan(2, &[(1, 0)]), 2);
    let drone = &fleet.drones[0];
    let pushed = fleet
        .push_while(async {
            sleep(Duration::from_secs(300)).await;
            drone.change_key();
            drone.cut();
            std::future::pending().await
        })
        .await;
    fleet.assert_complete(&pushed);
    let refused = pushed.events.iter().any(|(_, event)| {
        matches!(event, Event::DroneAway { drone, trouble: swarm::core::event::Trouble::Refused, .. } if drone.as_str() == "drone0")
    });
    assert!(refused, "{pushed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drone_that_freezes_in_any_step_is_noticed_and_found_again() {
    for call in [Call::Claim, Call::Resolve, Call::Prepare, Call::Start, Call::Watch, Call::Outcome, Call::Remove] {
        let fleet = Fleet::new(plan(2, &[(1, 0)]), 1);
        fleet.drones[0].spoil(call, Spoil::Freeze);
        let pushed = fleet.push().await;
        println!("{call:?} {:?}", pushed.took);
        fleet.assert_complete_and_compiled_once(&pushed);
        assert!(pushed.took < Duration::from_secs(1200 + 90), "{:?}", pushed.took);
    }
}

#[tokio::test]
async fn a_download_that_stands_still_is_noticed_by_the_stall_timeout() {
    let fleet = Fleet::new(plan(1, &[]), 1).with_hosts(|host| host.stall_timeout(Duration::from_millis(200)));
    fleet.workshop.all_take(Duration::from_millis(50));
    fleet.drones[0].arm(Fault::FreezeAt(5_000));
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_push_is_taken_up_where_it_was() {
    let fleet = Fleet::new(plan(3, &[(1, 0), (2, 1)]), 1);
    for _ in 0..7 {
        let pushed = fleet.push_while(sleep(Duration::from_secs(250))).await;
        if matches!(pushed.finish, Ok(Finish::Ended(End::Complete))) {
            break;
        }
    }
    let pushed = fleet.push().await;
    fleet.assert_complete_and_compiled_once(&pushed);
}

#[tokio::test(start_paused = true)]
async fn a_drone_tells_what_it_is() {
    let fleet = Fleet::new(plan(1, &[]), 1);
    let facts = facts::gather(&fleet.drones[0].host(), &"/var/lib/swarm".parse().unwrap()).await.unwrap();
    assert_eq!((facts.hostname.as_str(), facts.cores, facts.files_fault), ("drone0", Some(4), None));
}
