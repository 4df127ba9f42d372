//! How long `swarm status` takes as a process, beside a journal of a large build, and how large the binary is.
//!
//! It ends with status 1 where a figure is beyond its bar. SWARM_BENCH_PACKAGES makes the large build smaller.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

mod compare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
mod fleet;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use compare::{Bar, Figure, Row, median, number, program, report, timed};
use fleet::{DRONES, Journey};
use swarm::controller::now;
use swarm::core::state::State;
use swarm::store::Journal;

/// The longest that an operator may wait.
const LONGEST: Duration = Duration::from_millis(30);
/// So large (bytes) may the binary be.
const LARGEST: u64 = 30_000_000;
/// So often is it asked.
const ROUNDS: usize = 20;
/// The large build.
const PACKAGES: usize = 20_000;
/// One as most are.
const FEW_PACKAGES: usize = 500;

/// A directory in memory where there is one: the journal waits for its disk at every event.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory for the journal")
}

/// A controller's directory after a build of so many packages; one that has not ended was killed.
fn site(packages: usize, ended: bool) -> tempfile::TempDir {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let mut journal = Journal::open(&path("state")).expect("the journal opens");
    let mut state = State::default();
    Journey::of_build(packages).play(|event, at| {
        state.apply(event).expect("the journey is sound");
        journal.append(&state, event, at).expect("the event is written");
    });
    if ended {
        journal.keep_status(&state, now()).expect("the status is kept");
    }
    let inventory = format!(
        "[swarm]\ndriver = 'local'\nstate = '{}'\nstaging = '{}'\nproduction = '{}'\n",
        path("state").display(),
        path("staging").display(),
        path("production").display()
    );
    std::fs::write(path("inventory.toml"), inventory).expect("the inventory is written");
    directory
}

fn asked(directory: &Path, options: &[&str]) -> Duration {
    let ask = || {
        let mut swarm = Command::new(program());
        swarm.arg("status").args(options).arg("--inventory").arg(directory.join("inventory.toml")).stdin(Stdio::null());
        let (took, output) = timed(|| swarm.output().expect("it starts"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        took
    };
    // The first finds nothing in memory.
    ask();
    median((0..ROUNDS).map(|_| ask()).collect())
}

fn main() -> ExitCode {
    let many = number("SWARM_BENCH_PACKAGES", PACKAGES);
    let mut rows = Vec::new();
    for packages in [FEW_PACKAGES, many] {
        let directory = site(packages, true);
        for options in [&[] as &[&str], &["--json"]] {
            let verb = ["swarm", "status"].iter().chain(options).copied().collect::<Vec<_>>().join(" ");
            let what = format!("`{verb}`, {packages} packages, {DRONES} drones");
            rows.push(Row::new(
                &what,
                Figure::Time(asked(directory.path(), options)),
                Bar::Most(Figure::Time(LONGEST)),
            ));
        }
    }
    let killed = Figure::Time(asked(site(many, false).path(), &[]));
    rows.push(Row::new(&format!("the same after the controller was killed, {many} packages"), killed, Bar::None));
    let size = std::fs::metadata(program()).expect("the binary").len();
    rows.push(Row::new("size of the binary", Figure::Size(size), Bar::Most(Figure::Size(LARGEST))));
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
