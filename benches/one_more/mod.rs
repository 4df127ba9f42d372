//! What swarm makes of one package more: it is received, and it is released.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use swarm::controller::finalize::{Extent, finalize};
use swarm::controller::{Observer, Session, now};
use swarm::core::event::{Event, JobOutcome, ReceivedFile, Selection};
use swarm::core::names::{BuildId, Epoch, JobName, Timestamp};
use swarm::core::plan::{PackageIndex, Plan};
use swarm::core::state::State;
use swarm::inventory::{Inventory, Surroundings};
use swarm::portage::index::{PackagePath, Stanza};
use swarm::release::{Staging, accept};

use super::compare::{median, timed};
use super::fleet;
use super::pantry::{Pantry, entry};

const BUILD_ID: BuildId = BuildId(1);

struct Silent;

impl Observer for Silent {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}
    fn note(&mut self, _text: &str) {}
}

/// How long one more takes to be received beside all others, and to be released upon them: medians.
pub fn one_more(pantry: &Pantry, rounds: usize) -> (Duration, Duration) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        for number in 0..pantry.packages {
            pantry.put(number, "staging");
        }
        let staging = Staging::open(&pantry.path("staging")).expect("a staging directory");
        let mut session = session(pantry).await;
        let all = pantry.packages + rounds;
        open(&mut session, pantry, &staging, "build0", pantry.first(all), 0..pantry.packages);
        let received = (pantry.packages..all).map(|number| receive(&mut session, pantry, &staging, number)).collect();
        drop(session);
        println!("all of it released at once: {:.2} s", release(pantry).await.as_secs_f64());
        let mut released = Vec::new();
        for number in all..all + rounds {
            let mut session = self::session(pantry).await;
            pantry.put(number, "staging");
            open(&mut session, pantry, &staging, &format!("build{number}"), pantry.only(number), number..number + 1);
            drop(session);
            let time = release(pantry).await;
            println!("one more released: {:.1} ms", time.as_secs_f64() * 1e3);
            released.push(time);
        }
        (median(received), median(released))
    })
}

async fn session(pantry: &Pantry) -> Session {
    let [staging, production, state] = ["staging", "production", "state"].map(|name| pantry.path(name));
    let text = format!(
        "[swarm]\ndriver = 'capella'\nstaging = {staging:?}\nproduction = {production:?}\nstate = {state:?}\n\
         [hosts.capella]\naddress = '10.42.0.100'\n[drones.drone-000]\naddress = '10.42.0.7'\ncores = 4\n"
    );
    let surroundings = Surroundings { home: Some(pantry.path("home")), ..Surroundings::default() };
    let inventory = Inventory::parse_at(&[(PathBuf::from("fleet.toml"), text)], surroundings).expect("an inventory");
    Session::open_on(inventory, [].into(), Box::new(Silent)).await.expect("a session")
}

/// All of `swarm finalize`, from opening the journal to the last package that leaves staging.
async fn release(pantry: &Pantry) -> Duration {
    let begun = std::time::Instant::now();
    let mut session = session(pantry).await;
    finalize(&mut session, Extent::Whole, None).await.expect("it is released");
    begun.elapsed()
}

/// Opens a build in which these packages, the first of its plan, are there already.
fn open(
    session: &mut Session,
    pantry: &Pantry,
    staging: &Staging,
    name: &str,
    plan: Plan,
    numbers: std::ops::Range<usize>,
) {
    let file = |number: usize| {
        let path = PackagePath::new(pantry.plan.packages[number].identity.cpv.clone(), Some(BUILD_ID));
        received_file(staging, &entry(staging.root(), &path))
    };
    let live = numbers.enumerate().map(|(place, number)| (PackageIndex::at(place), file(number))).collect();
    let build = name.parse().expect("a name");
    let opened = Event::BuildOpened { build, selection: Selection::World, plan, live, rebuild: false, at: now() };
    session.record(&opened).expect("the journal is written");
}

fn received_file(staging: &Staging, stanza: &Stanza) -> ReceivedFile {
    let imprint = staging.imprint(stanza.path()).expect("it is read");
    let (path, stanza) = (stanza.path().to_string(), stanza.values().collect());
    ReceivedFile { path, build_id: BUILD_ID, stanza, imprint }
}

/// A package that lies where a job's download does: verified, admitted to staging, and written down.
fn receive(session: &mut Session, pantry: &Pantry, staging: &Staging, number: usize) -> Duration {
    let identity = &pantry.plan.packages[number].identity;
    let (made, package) = (pantry.package(number), PackageIndex::at(number));
    let job = JobName::new(&"build0".parse().expect("a name"), Epoch(1), number as u64);
    let build_ids = BTreeMap::from([(package, BUILD_ID)]);
    let drone = fleet::drone(0);
    let started = Event::JobStarted { job: job.clone(), package, drone, build_ids, width: 1, why: None, at: now() };
    session.record(&started).expect("the journal is written");
    pantry.put(number, "offered");
    let offered = entry(&pantry.path("offered"), &made.path);
    let file = staging.incoming(&job).expect("a directory").join(made.path.basename());
    std::fs::copy(pantry.path("offered").join(made.path.to_string()), &file).expect("it comes");
    let (time, ()) = timed(|| {
        let accepted = accept::accept(&file, &offered, identity, Some(BUILD_ID), None).expect("it is as planned");
        staging.admit(&file, &accepted.path).expect("it is admitted");
        let imprint = staging.imprint(&accepted.path).expect("it is read").expect("it is there");
        let stanza = Stanza::derive(&accepted.gpkg, &accepted.path, imprint.modified()).expect("an entry");
        let file = received_file(staging, &stanza);
        let received = Event::PackageReceived { job: job.clone(), package, file, cost: None, at: now() };
        session.record(&received).expect("the journal is written");
    });
    println!("one more received: {:.1} ms", time.as_secs_f64() * 1e3);
    session
        .record(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at: now() })
        .expect("the journal is written");
    time
}
