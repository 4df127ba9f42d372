//! What a push has told by the channels of its inventory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use swarm::controller::run::Finish;
use swarm::core::decide::End;
use swarm::core::event::Event;
use tokio::time::sleep;

use crate::support::push::{Fleet, cpv, plan};

/// A channel that keeps each message in a file of its own.
fn kept(directory: &Path) -> String {
    let keep = format!("cat > {}/$$", directory.display());
    format!("[notify.kept]\ncommand = [\"/bin/sh\", \"-c\", {keep:?}]\n")
}

fn messages(directory: &Path) -> Vec<String> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file: PathBuf| std::fs::read_to_string(file).unwrap()).collect()
}

// Programs of the system take no part in a paused clock, so this one runs.
#[tokio::test]
async fn a_push_that_fails_is_told_in_one_message_and_so_is_the_one_that_mends_it() {
    let mails = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(plan(4, &[(1, 0), (3, 2)]), 2).channels(&kept(mails.path()));
    fleet.workshop.all_take(Duration::from_millis(50));
    for drone in &fleet.drones {
        drone.fail(&cpv(0), 1, " * ERROR: app-lab/package0x-1.0::gentoo failed (compile phase):\n *   no luck\n");
        drone.fail(&cpv(2), 1, "no luck at all\n");
    }
    let pushed = fleet.push().await;
    assert!(matches!(pushed.finish, Ok(Finish::Ended(End::SomeFailed))), "{pushed:?}");
    let told = messages(mails.path());
    let [message] = told.as_slice() else { panic!("{told:?}") };
    for part in [
        "app-lab/package0x-1.0 failed: build\n  compile phase: no luck\n",
        "emerge ended with exit status 1: no luck at all",
        "blocks 1: app-lab/package1x-1.0",
        "next: swarm logs app-lab/package2x-1.0",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let path = message.lines().find_map(|line| line.trim().strip_prefix("log: ")).unwrap();
    assert!(std::fs::read_to_string(path).unwrap().contains("no luck"), "{path}");

    let again = fleet.push().await;
    assert!(matches!(again.finish, Ok(Finish::Ended(End::SomeFailed))), "{again:?}");
    assert_eq!(messages(mails.path()).len(), 1, "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn work_that_no_drone_takes_is_told_while_the_push_waits_and_its_end_once_it_goes_on() {
    let mails = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(plan(2, &[(1, 0)]), 1).channels(&kept(mails.path())).lost_after(Duration::from_secs(36_000));
    fleet.workshop.all_take(Duration::from_secs(3600));
    let drone = &fleet.drones[0];
    let pushed = fleet
        .push_while(async {
            sleep(Duration::from_secs(1800)).await;
            drone.machine.set_space_kib(1000);
            sleep(Duration::from_secs(3 * 3600)).await;
            drone.machine.set_space_kib(100_000_000);
            std::future::pending().await
        })
        .await;
    fleet.assert_complete_and_compiled_once(&pushed);
    let told: Vec<&Event> = pushed.events.iter().map(|(_, event)| event).collect();
    let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
    let raised = count(|event| matches!(event, Event::AlarmRaised { .. }));
    let over = count(|event| matches!(event, Event::AlarmTold { recovered, .. } if !recovered.is_empty()));
    assert_eq!((raised, over), (1, 1), "{pushed:?}");
    let messages = messages(mails.path());
    assert_eq!(messages.len(), 2, "{messages:?}");
    let stall = messages.iter().find(|message| message.contains("drone0: since ")).unwrap();
    assert!(stall.contains("1 package waits, and nothing is built") && stall.contains("MiB"), "{stall}");
}
