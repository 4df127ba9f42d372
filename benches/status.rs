//! How long `swarm status` takes as a process, beside a journal of a large build and through the socket of a controller at
//! work, how long an orchestrator reads that journal after each event, and how large the binary is.
//!
//! It ends with status 1 where a figure is beyond its bar. SWARM_BENCH_PACKAGES makes the large build smaller.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

mod compare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
mod fleet;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use compare::{Bar, Figure, Row, median, number, program, report, timed};
use fleet::{DRONES, Journey};
use swarm::controller::now;
use swarm::controller::socket::{Asked, Socket};
use swarm::core::state::State;
use swarm::core::status::Status;
use swarm::orchestrator::books::Books;
use swarm::store::Journal;
use swarm::store::journal::FILES;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};

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

/// A controller's place after a build.
struct Site {
    directory: tempfile::TempDir,
    state: State,
}

impl Site {
    /// One of nothing but an inventory.
    fn new() -> Self {
        let directory = directory();
        let path = |name: &str| directory.path().join(name);
        let inventory = format!(
            "[swarm]\ndriver = 'local'\nstate = '{}'\nstaging = '{}'\nproduction = '{}'\n",
            path("state").display(),
            path("staging").display(),
            path("production").display()
        );
        std::fs::write(path("inventory.toml"), inventory).expect("the inventory is written");
        Self { directory, state: State::default() }
    }

    fn ground(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Works off a build of so many packages.
    fn work_off(&mut self, packages: usize) -> Journal {
        let mut journal = Journal::open(&self.ground()).expect("the journal opens");
        Journey::of_build(packages).play(|event, at| {
            self.state.apply(event).expect("the journey is sound");
            journal.append(&self.state, event, at).expect("the event is written");
        });
        journal
    }

    /// The same as a power cut now would leave it.
    fn cut_off(&self) -> Self {
        let other = Self { state: self.state.clone(), ..Self::new() };
        std::fs::create_dir(other.ground()).expect("a directory");
        for name in FILES {
            std::fs::copy(self.ground().join(name), other.ground().join(name)).expect("a copy");
        }
        other
    }
}

/// Asked of a controller that has this state and nothing else to do.
fn asked_at_work(site: &Site) -> Duration {
    let runtime = Runtime::new().expect("a runtime");
    let (asks, mut asked_for) = mpsc::channel(1);
    let socket = {
        let _inside = runtime.enter();
        Socket::open(&site.ground(), asks, broadcast::Sender::new(1)).expect("a socket")
    };
    let state = site.state.clone();
    runtime.spawn(async move {
        while let Some(Asked::Status(answer)) = asked_for.recv().await {
            let _gone = answer.send(Status::of(&state, None, now()));
        }
    });
    let took = asked(site, &[]);
    drop(socket);
    took
}

/// What an orchestrator that knows all else takes to read one event more.
fn read_after_each_event(site: &mut Site, journal: &mut Journal) -> Duration {
    let runtime = Runtime::new().expect("a runtime");
    let books = Books::new(site.ground(), site.directory.path().join("production"));
    let read = || runtime.block_on(books.read_anew()).expect("the journal reads").sequence();
    let mut last = read();
    let once = |number| {
        let event = Journey::of_build(0).weather(number);
        site.state.apply(&event).expect("the event fits");
        journal.append(&site.state, &event, now()).expect("the event is written");
        let (took, sequence) = timed(read);
        assert_eq!(sequence, last + 1);
        last = sequence;
        took
    };
    median((0..ROUNDS).map(once).collect())
}

fn asked(site: &Site, options: &[&str]) -> Duration {
    let ask = || {
        let mut swarm = Command::new(program());
        swarm
            .arg("status")
            .args(options)
            .arg("--inventory")
            .arg(site.directory.path().join("inventory.toml"))
            .stdin(Stdio::null());
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
    let longest = || Bar::Most(Figure::Time(LONGEST));
    let mut rows = Vec::new();
    for packages in [FEW_PACKAGES, many] {
        let mut site = Site::new();
        let mut journal = site.work_off(packages);
        let mut row = |what: &str, took, bar| {
            rows.push(Row::new(&format!("{what}, {packages} packages, {DRONES} drones"), Figure::Time(took), bar));
        };
        row("an orchestrator reads one event more", read_after_each_event(&mut site, &mut journal), longest());
        row("`swarm status`, a controller is at work", asked_at_work(&site), longest());
        row("`swarm status`, one was killed right behind an event", asked(&site.cut_off(), &[]), Bar::None);
        let (took, kept) = timed(|| journal.keep_status(&site.state, now()));
        kept.expect("the status is kept");
        row("keeping how things stand, in memory", took, Bar::None);
        row("`swarm status`, one was killed a moment after an event", asked(&site.cut_off(), &[]), longest());
        drop(journal);
        row("`swarm status`, one has ended", asked(&site, &[]), longest());
        row("`swarm status --json`, one has ended", asked(&site, &["--json"]), longest());
    }
    let size = std::fs::metadata(program()).expect("the binary").len();
    rows.push(Row::new("size of the binary", Figure::Size(size), Bar::Most(Figure::Size(LARGEST))));
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
