//! What a large swarm costs the controller: memory with 200 drones and 20,000 packages in state, the time in which
//! it resumes from a journal of 200,000 events, and that in which a page of metrics is made of such a state.
//!
//! `just bench` runs it and prints the figures; it ends with status 1 where one is beyond its bar. Each figure is taken
//! in a process of its own, which this one starts as itself with an argument, so that none has another's memory.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

mod fleet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use fleet::Journey;
use swarm::core::event::Event;
use swarm::core::names::Timestamp;
use swarm::core::state::State;
use swarm::orchestrator::books::Read;
use swarm::orchestrator::metrics::{Disks, Sight};
use swarm::store::journal::Journal;

/// The most memory (KiB) that the controller's state may take, the program itself counted.
const MOST_MEMORY_KIB: u64 = 150 << 10;
/// The longest that a controller may take to resume.
const LONGEST_RESUME: Duration = Duration::from_secs(2);
/// So many events has the journal that is resumed from.
const EVENTS: usize = 200_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--state"] => hold_state(),
        ["--metrics"] => show(),
        ["--resume", directory] => resume(Path::new(directory)),
        _ => return all(),
    }
    ExitCode::SUCCESS
}

fn all() -> ExitCode {
    let mut good = report("state of 200 drones and 20,000 received packages", &run(&["--state"]));
    for (what, journey) in [
        ("one build of 20,000 packages", Journey::one_build()),
        ("30 builds of 1,000 packages, of which 20 are remembered", Journey::many_builds()),
    ] {
        for snapshots in [true, false] {
            let directory = directory();
            let written = write(directory.path(), &journey, snapshots);
            let from = if snapshots { "snapshot and events" } else { "events alone" };
            let what = format!("resume, {written} events ({} MiB), {what}, from {from}", size(directory.path()) >> 20);
            good &= report(&what, &run(&["--resume", &directory.path().to_string_lossy()]));
        }
    }
    good &= report(
        "a hundred pages of metrics of 200 drones and 20,000 packages, one after the other",
        &run(&["--metrics"]),
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A directory in memory where there is one: the journal waits for its disk at every event.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory for the journal")
}

/// What a process of its own found.
struct Found {
    took: Duration,
    /// What of it this process had a processor for; the rest it waited, for the disk or for others.
    busy: Duration,
    resident: u64,
    grown: u64,
    highest: u64,
}

fn run(arguments: &[&str]) -> Found {
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program).args(arguments).output().expect("this program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let [took, busy, resident, grown, highest] = numbers[..] else { panic!("{text}") };
    Found { took: Duration::from_millis(took), busy: Duration::from_millis(busy), resident, grown, highest }
}

fn report(what: &str, found: &Found) -> bool {
    let good = found.took <= LONGEST_RESUME && found.resident <= MOST_MEMORY_KIB;
    println!(
        "{what}\n    {}: {} ms ({} ms of processor time), {} MiB resident (+{} MiB for it, {} MiB at the highest)",
        if good { "within the bars" } else { "BEYOND A BAR" },
        found.took.as_millis(),
        found.busy.as_millis(),
        found.resident >> 10,
        found.grown >> 10,
        found.highest >> 10
    );
    good
}

/// Prints what one measurement found: milliseconds, then KiB.
fn tell(took: Duration, before: u64) {
    let resident = resident();
    let told = std::fs::read_to_string("/proc/self/schedstat").expect("/proc is mounted");
    let busy = told.split_whitespace().next().and_then(|time| time.parse().ok()).expect("a number");
    let busy = Duration::from_nanos(busy);
    println!("{} {} {resident} {} {}", took.as_millis(), busy.as_millis(), resident.saturating_sub(before), highest());
}

/// The state of one build, all of whose packages are received, as it comes to be event by event.
fn hold_state() {
    let before = resident();
    let mut state = State::default();
    Journey::one_build().play(|event, _| state.apply(event).expect("the journey is sound"));
    assert_eq!((state.drones.len(), state.builds.values().map(|build| build.received().count()).sum()), (200, 20_000));
    tell(Duration::ZERO, before);
}

/// Pages of metrics, as the service makes them once the journal is read.
fn show() {
    let mut state = State::default();
    Journey::one_build().play(|event, _| state.apply(event).expect("the journey is sound"));
    let read = Read { state, ..Read::default() };
    let before = resident();
    let begun = Instant::now();
    for _ in 0..100 {
        let (standbys, follows, disks) = (BTreeMap::new(), None, Disks::default());
        let sight =
            Sight { read: &read, leads: true, standbys, follows, disks, sent: 0, now: Timestamp(1_790_000_001) };
        assert!(sight.page().text().contains("swarm_packages{state=\"received\"} 20000"));
    }
    tell(begun.elapsed(), before);
}

fn resume(directory: &Path) {
    let before = resident();
    let begun = Instant::now();
    let state = Journal::open(directory).expect("the journal opens").replay().expect("the journal replays");
    let took = begun.elapsed();
    assert!(state.builds.values().any(|build| build.received().count() >= 1000));
    tell(took, before);
}

/// Writes a journal as the controller does, but without waiting for the disk. Gives the number of its events.
fn write(directory: &Path, journey: &Journey, snapshots: bool) -> usize {
    let mut journal = Journal::open(directory).expect("the journal opens");
    let database = rusqlite::Connection::open(directory.join("journal.db")).expect("the database opens");
    let mut state = State::default();
    let mut written = 0;
    let mut append = |event: &Event, at| {
        state.apply(event).expect("the journey is sound");
        journal.append(&state, event, at).expect("the event is written");
        written += 1;
        written
    };
    let mut count = 0;
    journey.play(|event, at| count = append(event, at));
    // What is left of the 200,000 is drones that come and go.
    for number in 0..EVENTS.saturating_sub(count) {
        append(&journey.weather(number), Timestamp(1_800_000_000));
    }
    if !snapshots {
        database.execute("DELETE FROM snapshots", []).expect("the snapshots go");
    }
    written
}

fn size(directory: &Path) -> u64 {
    let files: [PathBuf; 2] = ["journal.db", "journal.db-wal"].map(|name| directory.join(name));
    files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// The memory (KiB) that this process has now.
fn resident() -> u64 {
    status("VmRSS:")
}

/// The most memory (KiB) that this process has had.
fn highest() -> u64 {
    status("VmHWM:")
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("Linux tells it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
