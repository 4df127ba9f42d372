//! How things stand, kept for whoever only looks: when it is, and when it is not.

use std::future::pending;
use std::path::Path;
use std::time::Duration;

use swarm::controller::attend::attend;
use swarm::controller::run::{Finish, Outside};
use swarm::controller::socket::Asked;
use swarm::controller::verb::Verb;
use swarm::controller::{ControlError, now};
use swarm::core::names::Epoch;
use swarm::core::status::Status;
use swarm::epoch::Claimant;
use swarm::store::{Journal, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::support::push::{Fleet, plan};

/// What is kept, which is what a reader of all that has happened is told.
fn kept(directory: &Path) -> Option<Status> {
    let journal = Journal::open_to_read(directory).unwrap()?;
    let kept = journal.kept_status(now()).unwrap()?;
    assert_eq!(kept, Status::of(&journal.replay().unwrap(), None, now()));
    Some(kept)
}

/// Waits until so many packages are received.
async fn until_received(directory: &Path, count: usize) {
    while Status::of(&Journal::state_of(directory).unwrap(), None, now()).received.len() < count {
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn how_things_stand_is_kept_a_moment_after_an_event_and_at_an_interruption() {
    let fleet = Fleet::new(plan(3, &[(1, 0), (2, 1)]), 1);
    fleet.workshop.all_take(Duration::from_secs(30));
    let directory = fleet.path("state");
    let interrupted = fleet
        .push_while(async {
            until_received(&directory, 1).await;
            assert_eq!(kept(&directory), None, "more may come at once");
            sleep(Duration::from_secs(3)).await;
            let status = kept(&directory).expect("it is kept");
            assert_eq!((status.delegated.len(), status.received.len()), (1, 1));
            until_received(&directory, 2).await;
        })
        .await;
    assert!(matches!(interrupted.finish, Ok(Finish::Interrupted)), "{interrupted:?}");
    assert_eq!(kept(&directory).expect("it is kept").received.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_ends_the_session_and_is_never_kept_as_if_it_were() {
    let fleet = Fleet::new(plan(1, &[]), 1);
    let mut session = fleet.session().await;
    let database = rusqlite::Connection::open(fleet.path("state").join("journal.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.execute_batch(full).unwrap();
    let (ask, asked) = mpsc::channel(1);
    let (_halt, halts) = mpsc::channel(1);
    let (answer, told) = oneshot::channel();
    let drain = Verb::Drain { drones: vec!["drone0".parse().unwrap()] };
    ask.send(Asked::Verb(drain, answer)).await.unwrap();
    let ended = attend(&mut session, &mut Outside { halts, asked }, pending::<()>()).await;
    assert!(matches!(ended, Err(ControlError::Store(_))), "{ended:?}");
    assert!(told.await.unwrap().unwrap_err().contains("full"));
    session.close(None).await.unwrap();
    assert_eq!(kept(&fleet.path("state")), None);
}

#[tokio::test(start_paused = true)]
async fn a_session_writes_at_its_end_unless_another_controller_has_its_place() {
    let cases = [
        (None, true),
        (Some(ControlError::Store(StoreError::Unsound { path: "journal.db".into() })), true),
        (Some(ControlError::Superseded { by: Claimant { epoch: Epoch(9), controller: None } }), false),
    ];
    for (error, writes) in cases {
        let fleet = Fleet::new(plan(1, &[]), 1);
        let mut session = fleet.session().await;
        session.close(error.as_ref()).await.unwrap();
        assert_eq!(kept(&fleet.path("state")).is_some(), writes, "{error:?}");
    }
}
