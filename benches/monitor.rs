//! What the full screen of `swarm monitor` costs at 200 columns and 60 lines, with 10,000 packages in the middle of their
//! build on 200 drones: a key, a new state and a filter, each with the drawing that follows; and what an event costs until
//! the screen can be told of it.
//!
//! `just bench` runs it and prints the figures; it ends with status 1 where one is beyond its bar.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

#[expect(dead_code, reason = "other benchmarks use more of it")]
mod fleet;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use swarm::core::decide::decide;
use swarm::core::event::{Event, JobOutcome, ReceivedFile, Rooms, Selection};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::{JobName, Timestamp};
use swarm::core::overview::rest;
use swarm::core::state::State;
use swarm::core::status::Status;
use swarm::core::texts::Fields;
use swarm::ui::monitor::{Look, Marks, Message, Model, Palette, draw, update};

const PACKAGES: usize = 10_000;
/// So many of them have come.
const RECEIVED: usize = 4_000;
/// Every so manieth job fails for good.
const FAILS: usize = 500;
const COLUMNS: u16 = 200;
const LINES: u16 = 60;
/// The longest that a redrawing may take.
const LONGEST_REDRAWING: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let (mut state, now) = middle();
    let build = state.open_build().expect("it is open");
    println!(
        "{} packages, {} of them received, {} jobs at work on {} drones; {COLUMNS} columns, {LINES} lines",
        build.packages.len(),
        build.received().count(),
        state.jobs.len(),
        state.drones.len()
    );
    let mut screen = Screen::new(&state, now);
    let mut good = true;
    let down = (0..2_000).map(|_| screen.tell(key('j'))).collect();
    good &= report("a key, and the drawing after it", down, Some(LONGEST_REDRAWING));
    let pages =
        (0..200).map(|_| screen.tell(Message::Key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE)))).collect();
    good &= report("a screenful further on", pages, Some(LONGEST_REDRAWING));
    let looks = (0..200).map(|later| {
        let look = Box::new(look(&state, Timestamp(now.0 + later)));
        screen.tell(Message::Look(look))
    });
    good &= report("a new state, and the drawing after it", looks.collect(), Some(LONGEST_REDRAWING));
    screen.tell(key('/'));
    let typed = (0..200).map(|number| {
        let key = if number % 2 == 0 { KeyCode::Char('q') } else { KeyCode::Backspace };
        screen.tell(Message::Key(KeyEvent::new(key, KeyModifiers::NONE)))
    });
    good &= report("a letter of a filter, and the drawing after it", typed.collect(), Some(LONGEST_REDRAWING));
    let begun = Instant::now();
    let left = rest(&state, now);
    println!(
        "    the forecast of the rest (beside all else, every ten seconds at most): {} ms, {left:?} s",
        begun.elapsed().as_millis()
    );
    let (mut applied, mut seen) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let event = fleet::away(number / 2, now);
        let begun = Instant::now();
        state.apply(&event).expect("it fits");
        applied.push(begun.elapsed());
        let begun = Instant::now();
        std::hint::black_box(look(&state, now));
        seen.push(begun.elapsed());
    }
    report("an event taken in", applied, None);
    report("what the screen is told of the state, five times a second at most", seen, None);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn key(character: char) -> Message {
    Message::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE))
}

fn look(state: &State, now: Timestamp) -> Look {
    Look::of(state, Status::of(state, None, now), Some(3600), now)
}

fn report(what: &str, mut took: Vec<Duration>, bar: Option<Duration>) -> bool {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let good = bar.is_none_or(|bar| at(0.99) <= bar);
    let word = match (bar, good) {
        (None, _) => String::new(),
        (Some(bar), true) => format!("within the bar of {} ms: ", bar.as_millis()),
        (Some(bar), false) => format!("BEYOND THE BAR of {} ms: ", bar.as_millis()),
    };
    println!(
        "    {what}: {word}{} µs at the median, {} µs for 99 of 100, {} µs at worst",
        at(0.5).as_micros(),
        at(0.99).as_micros(),
        at(1.0).as_micros()
    );
    good
}

/// A screen whose bytes go nowhere.
struct Screen {
    model: Model,
    terminal: Terminal<CrosstermBackend<std::io::Sink>>,
}

impl Screen {
    fn new(state: &State, now: Timestamp) -> Self {
        let palette = Palette { coloured: true, marks: Marks::UNICODE };
        let model = Model::new("argo".to_owned(), TimeZone::UTC, palette, now);
        let viewport = Viewport::Fixed(Rect::new(0, 0, COLUMNS, LINES));
        let backend = CrosstermBackend::new(std::io::sink());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport }).expect("it writes nowhere");
        let mut screen = Self { model, terminal };
        screen.tell(Message::Resized(COLUMNS, LINES));
        screen.tell(Message::Look(Box::new(look(state, now))));
        screen
    }

    /// How long it takes to take a message in and to draw what it changed.
    fn tell(&mut self, message: Message) -> Duration {
        let begun = Instant::now();
        update(&mut self.model, message);
        self.terminal.draw(|frame| draw(&self.model, frame)).expect("it writes nowhere");
        begun.elapsed()
    }
}

/// The build in its middle, as the controller's own decisions bring it there.
fn middle() -> (State, Timestamp) {
    let mut state = State::default();
    let mut take = |event: &Event| state.apply(event).expect("the journey is sound");
    take(&Event::FleetDeclared { drones: (0..fleet::DRONES).map(fleet::spec).collect() });
    for number in 0..fleet::DRONES {
        let (drone, rooms) = (fleet::drone(number), Rooms::Own);
        take(&Event::DroneReady { drone, address: None, rooms, memory_mib: None, configuration: None });
    }
    let mut now = Timestamp(1_790_000_000);
    take(&Event::BuildOpened {
        build: "20270101T000000".parse().expect("a name"),
        selection: Selection::World,
        plan: fleet::plan(0, PACKAGES),
        live: [].into(),
        rebuild: false,
        at: now,
    });
    let mut ended = 0;
    while state.open_build().expect("it is open").received().count() < RECEIVED {
        start(&mut state, now);
        now.0 += 10;
        // All that runs but the latest few ends.
        let jobs: Vec<JobName> = state.jobs.keys().take(state.jobs.len().div_ceil(2)).cloned().collect();
        for job in jobs {
            ended += 1;
            end(&mut state, job, ended % FAILS == 0, now);
        }
    }
    start(&mut state, now);
    (state, Timestamp(now.0 + 60))
}

fn start(state: &mut State, at: Timestamp) {
    for start in decide(state, at).starts {
        let event = Event::JobStarted {
            job: start.job,
            package: start.package,
            drone: start.drone,
            build_ids: start.build_ids,
            width: start.width,
            why: Some(start.why),
            at,
        };
        state.apply(&event).expect("the journey is sound");
    }
}

fn end(state: &mut State, job: JobName, fails: bool, at: Timestamp) {
    let own = &state.jobs[&job];
    let outcome = if fails {
        let failure = Failure { class: FailureClass::Build, reason: "compile phase: emake failed".to_owned() };
        JobOutcome::Failed { failure, log: None }
    } else {
        let (package, build_id) = (own.package, own.build_ids[&own.package]);
        let file = ReceivedFile { path: format!("{job}"), build_id, stanza: Fields::default(), imprint: None };
        let event = Event::PackageReceived { job: job.clone(), package, file, cost: None, at };
        state.apply(&event).expect("the journey is sound");
        JobOutcome::Delivered
    };
    state.apply(&Event::JobEnded { job, outcome, at }).expect("the journey is sound");
}
