//! Journals that earlier versions wrote (`tests/journals/`, one a version, as SQL): each is read, and a push goes on.
//!
//! `SWARM_SAMPLE=DIR` writes the journal of this version there as a database; `sqlite3 journal.db .dump` makes the text.

use std::path::{Path, PathBuf};

use swarm::controller::finalize::{Extent, finalize};
use swarm::controller::housekeeping::{self, Deed};
use swarm::controller::run::Finish;
use swarm::controller::{Session, now};
use swarm::core::decide::End;
use swarm::core::plan::Plan;
use swarm::core::state::State;
use swarm::store::{Journal, StoreError};

use crate::support::push::{Fleet, cpv, plan, work_off};

/// What each journal says: its builds, how many of them are released, and of the last one what is received and what is
/// still to be done.
const SAMPLES: [(&str, [usize; 4]); 3] =
    [("2026-11-24-noon", [2, 1, 0, 2]), ("2026-11-24-night", [1, 0, 2, 2]), ("2026-11-26", [1, 0, 2, 2])];

fn text(sample: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(format!("{sample}.sql"));
    std::fs::read_to_string(path).unwrap()
}

/// Makes the journal of a sample in a state directory.
fn make(sample: &str, state: &Path) -> rusqlite::Connection {
    std::fs::create_dir_all(state).unwrap();
    let database = rusqlite::Connection::open(state.join("journal.db")).unwrap();
    database.execute_batch(&text(sample)).unwrap();
    database
}

/// Packages that are in no sample's staging.
fn others() -> Plan {
    let mut plan = plan(6, &[(5, 4)]);
    plan.packages.retain(|package| [cpv(4), cpv(5)].contains(&package.identity.cpv.to_string()));
    plan.edges.clear();
    plan
}

fn summary(state: &State) -> [usize; 4] {
    let last = state.latest_build().unwrap();
    let received = last.received().count();
    let released = state.builds.values().filter(|build| build.released.is_some()).count();
    [state.builds.len(), released, received, last.packages.len() - received]
}

#[tokio::test(start_paused = true)]
async fn the_journal_of_every_earlier_version_is_read_and_a_push_goes_on_from_it() {
    let there = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals")).unwrap();
    assert_eq!(there.count(), SAMPLES.len());
    for (sample, says) in SAMPLES {
        let fleet = Fleet::new(plan(6, &[(5, 4)]), 2).limits("journal_size = '1B'");
        drop(make(sample, &fleet.path("state")));
        let state = Journal::state_of(&fleet.path("state")).unwrap();
        assert_eq!(summary(&state), says, "{sample}");
        let mut session: Session = fleet.session().await;
        session.record(&fleet.opening("build9", others())).unwrap();
        let finish = work_off(&mut session, None, std::future::pending()).await.unwrap();
        assert_eq!(finish, Finish::Ended(End::Complete), "{sample}");
        finalize(&mut session, Extent::Whole, None).await.unwrap();
        // What is pruned by this version reads as before.
        let before = serde_json::to_value(session.state()).unwrap();
        housekeeping::prune(&mut session, Deed::Do).await.unwrap();
        session.leave_office().await;
        drop(session);
        let state = Journal::state_of(&fleet.path("state")).unwrap();
        assert_eq!(serde_json::to_value(&state).unwrap(), before, "{sample}");
        assert!(state.builds[&"build9".parse().unwrap()].released.is_some());
    }
}

#[test]
fn the_snapshot_of_an_earlier_version_says_nothing_else_than_its_events_do() {
    let directory = tempfile::tempdir().unwrap();
    let database = make("2026-11-26", directory.path());
    let by_snapshot = Journal::state_of(directory.path()).unwrap();
    assert!(database.execute("DELETE FROM snapshots", []).unwrap() == 1);
    let by_events = Journal::state_of(directory.path()).unwrap();
    let by_events = serde_json::to_value(by_events).unwrap();
    let by_snapshot = serde_json::to_value(by_snapshot).unwrap();
    // What that version did not know yet only its events can tell.
    for (key, said) in by_snapshot.as_object().unwrap() {
        assert_eq!(said, &by_events[key], "{key}");
    }
}

#[test]
fn a_journal_of_a_later_version_is_refused_by_its_schema_before_anything_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let database = make("2026-11-26", directory.path());
    database.pragma_update(None, "user_version", 1000).unwrap();
    let tables = || -> i64 { database.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap() };
    let before = tables();
    let error = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 1000, .. }), "{error}");
    assert!(error.to_string().contains("use that one"), "{error}");
    assert_eq!(tables(), before);
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_this_version_can_be_kept_as_a_sample() {
    let fleet = Fleet::new(plan(4, &[(1, 0), (3, 2)]), 2);
    for drone in &fleet.drones {
        drone.fail(&cpv(2), 1, "cc1: error: it does not compile\n");
    }
    let pushed = fleet.push().await;
    assert!(matches!(pushed.finish, Ok(Finish::Ended(End::SomeFailed))), "{pushed:?}");
    let mut session = fleet.session().await;
    finalize(&mut session, Extent::Partial, None).await.unwrap();
    assert!(now().0 > 0 && summary(session.state()) == [1, 0, 2, 2]);
    drop(session);
    if let Some(place) = std::env::var_os("SWARM_SAMPLE").map(PathBuf::from) {
        let database = rusqlite::Connection::open(fleet.path("state").join("journal.db")).unwrap();
        database.execute("VACUUM INTO ?1", [place.join("journal.db").to_str().unwrap()]).unwrap();
    }
}
