//! What a release costs: `finalize` of 100 packages upon 2,000, which supersede as many.
//!
//! It works on the disk that this is built on, with a journal, as `swarm finalize` does: what is measured is the whole
//! verb, from opening the journal to the last package that leaves staging, and in it the step in which clients come from
//! the one release to the other. Of several runs the median counts. It ends with status 1 where a figure is beyond its
//! bar.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

#[expect(dead_code, reason = "its other half is for another benchmark")]
mod fleet;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use swarm::controller::finalize::{Extent, finalize};
use swarm::controller::{Observer, Session, now};
use swarm::core::event::{Event, Imprint, ReceivedFile, Selection};
use swarm::core::names::{BuildId, Timestamp};
use swarm::core::plan::PackageIndex;
use swarm::core::state::State;
use swarm::inventory::{Inventory, Surroundings};

/// So many packages are in a release.
const PACKAGES: usize = 2_000;
/// So many of them are new.
const NEW: usize = 100;
/// So often it is done.
const RUNS: u32 = 5;
/// The longest that the swap may take.
const LONGEST_SWAP: Duration = Duration::from_millis(10);
/// The longest that all of it may take.
const LONGEST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        build(directory.path(), PACKAGES, 1).await;
        release(directory.path()).await;
        let mut runs = Vec::new();
        for run in 1..=RUNS {
            build(directory.path(), NEW, run + 1).await;
            let (whole, swap) = release(directory.path()).await;
            println!("run {run}: {} ms in all, the swap {} us", whole.as_millis(), swap.as_micros());
            runs.push((whole, swap));
        }
        let median = |of: fn(&(Duration, Duration)) -> Duration| {
            let mut times: Vec<Duration> = runs.iter().map(of).collect();
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        let (whole, swap) = (median(|run| run.0), median(|run| run.1));
        let good = whole < LONGEST && swap < LONGEST_SWAP;
        println!(
            "finalize of {PACKAGES} packages, {NEW} of them new\n    {}: {} ms in all, {} us for the swap (medians)",
            if good { "within the bars" } else { "BEYOND A BAR" },
            whole.as_millis(),
            swap.as_micros()
        );
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

struct Silent;

impl Observer for Silent {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}
    fn note(&mut self, _text: &str) {}
}

async fn session(directory: &Path) -> Session {
    let [staging, production, state] = ["staging", "production", "state"].map(|name| directory.join(name));
    let text = format!(
        "[swarm]\ndriver = 'capella'\nstaging = {staging:?}\nproduction = {production:?}\nstate = {state:?}\n\
         [hosts.capella]\naddress = '10.42.0.100'\n"
    );
    let surroundings = Surroundings { home: Some(directory.to_owned()), ..Surroundings::default() };
    let inventory = Inventory::parse_at(&[(PathBuf::from("fleet.toml"), text)], surroundings).expect("an inventory");
    Session::open_on(inventory, [].into(), Box::new(Silent)).await.expect("a session")
}

/// A build of the first packages, all of them received with this build id.
async fn build(directory: &Path, packages: usize, build_id: u32) {
    let mut session = session(directory).await;
    let plan = fleet::plan(build_id as usize, packages);
    let build_id = BuildId(build_id);
    let live: BTreeMap<PackageIndex, ReceivedFile> = plan
        .packages
        .iter()
        .enumerate()
        .map(|(number, package)| {
            let cpv = &package.identity.cpv;
            let path = format!("{}/{}-{build_id}.gpkg.tar", cpv.package(), cpv.pf());
            let imprint = write(&directory.join("staging").join(&path), fleet::size(number));
            let stanza = fleet::stanza(number, cpv, &path, build_id);
            (PackageIndex::at(number), ReceivedFile { path, build_id, stanza, imprint: Some(imprint) })
        })
        .collect();
    let build = format!("build{build_id}").parse().expect("a name");
    let opened = Event::BuildOpened { build, selection: Selection::World, plan, live, rebuild: false, at: now() };
    session.record(&opened).expect("the journal is written");
}

/// A file of this size, on the disk as a received one is.
fn write(path: &Path, size: usize) -> Imprint {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("the directory is made");
    let file = std::fs::File::create(path).expect("the file is made");
    file.set_len(size as u64).and_then(|()| file.sync_all()).expect("the file is written");
    let metadata = file.metadata().expect("the file is there");
    let modified_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
    Imprint { inode: metadata.ino(), modified_ns }
}

/// How long all of it took, and the swap.
async fn release(directory: &Path) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut session = session(directory).await;
    let released = finalize(&mut session, Extent::Whole, None).await.expect("it is released");
    let whole = begun.elapsed();
    assert_eq!(released.contents.index.stanzas.len(), PACKAGES);
    (whole, released.swap)
}
