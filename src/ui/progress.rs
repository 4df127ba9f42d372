//! A push while it runs: a live bar a drone on a terminal, elsewhere a line an event, or JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::event_line;
use super::terminal;
use super::text::line;
use super::time::local;
use crate::controller::Observer;
use crate::core::build::{Build, Phase};
use crate::core::decide::End;
use crate::core::event::{Event, JobOutcome, Rooms, Selection, Trouble};
use crate::core::names::{BuildName, HostName, Timestamp};
use crate::core::state::State;
use crate::core::text::escaped;

/// The observer for this process's standard streams.
pub fn observer(json: bool) -> Box<dyn Observer> {
    if json {
        Box::new(Json)
    } else if terminal::redraws_errors() {
        Box::new(Bars::new())
    } else {
        Box::new(Lines)
    }
}

/// What an event is to a person; nothing where it is of no interest.
pub fn words(event: &Event, state: &State) -> Option<String> {
    let label = |package| state.open_build().map_or_else(String::new, |build| build.label(package).to_owned());
    Some(match event {
        Event::DroneReady { drone, address, rooms, .. } => {
            let at = address.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
            let without = match rooms {
                Rooms::Impossible(why) => format!(", without clean rooms: {}", line(why)),
                Rooms::Own | Rooms::Shared => String::new(),
            };
            format!("ready      {drone}{at}{without}")
        }
        Event::DroneAway { drone, trouble, reason, .. } => {
            let word = match trouble {
                Trouble::Unreachable => "unreachable",
                Trouble::Refused => "refused    ",
                Trouble::Differs => "differs    ",
                Trouble::Unwell => "unwell     ",
                Trouble::LeftOut => return None,
            };
            format!("{word} {drone}: {reason}")
        }
        Event::DiskLow { what, free, .. } => {
            let free = ByteSize(*free).display().iec();
            format!(
                "disk low   {}: {free} are left. Nothing new starts until there is room; what runs goes on",
                what.display()
            )
        }
        Event::DiskWell { .. } => "disk well  there is room again: work goes on".to_owned(),
        Event::AlarmRaised { words, .. } => format!("alarm      {}", line(&words.headline)),
        Event::AlarmCleared { cause, .. } => {
            format!("over       {}", line(&state.alarms.of(cause)?.words.headline))
        }
        Event::AlarmTold { channel, causes, recovered, .. } => {
            format!("told       {channel}: {} alarms, {} that are over", causes.len(), recovered.len())
        }
        Event::ChannelFailed { channel, why, .. } => format!("not told   {channel}: {}", line(why)),
        Event::DrainAsked { drone, drain: true, .. } => format!("draining   {drone}: it gets no new work"),
        Event::DrainAsked { drone, drain: false, .. } => format!("undrained  {drone}: it gets work again"),
        Event::HistoryImported { .. } => return None,
        Event::PartReleased { build, release, .. } => format!("released   a part of build {build}: {release} is live"),
        Event::RolledBack { to, release, .. } => format!("rolled back to {to}: {release} is live"),
        Event::EpochClaimed { epoch, controller, .. } => format!("epoch      {epoch}, claimed by {controller}"),
        Event::BuildForgotten { build, .. } => format!("reset      build {build}; its jobs are ended"),
        Event::JobFound { package, drone, job, .. } => {
            format!("delegated  {} to {drone}: found there as job {job} of another controller", label(*package))
        }
        Event::JobGivenUp { job, .. } => {
            let job = state.jobs.get(job)?;
            format!("given up   {} on {}, which is away for too long", label(job.package), job.drone)
        }
        Event::JobBack { job } => {
            let job = state.jobs.get(job)?;
            format!("back       {} on {}", label(job.package), job.drone)
        }
        Event::BuildOpened { build, selection, plan, .. } => needed(build, selection, plan.packages.len()),
        Event::QueuedBuildOpened { build, .. } => {
            let build = state.builds.get(build)?;
            needed(&build.name, &build.selection, build.packages.len())
        }
        Event::BuildQueued { build, selection, plan, .. } => {
            format!("queued     {} packages for {selection}, build {build}", plan.packages.len())
        }
        Event::JobStarted { package, drone, .. } => format!("delegated  {} to {drone}", label(*package)),
        Event::PackageReceived { package, file, .. } => format!("received   {} as {}", label(*package), file.path),
        Event::JobEnded { job, outcome: JobOutcome::Failed { failure, .. }, .. } => {
            let build = state.open_build();
            let attempt = build.and_then(|build| {
                build.packages.iter().enumerate().find_map(|(index, package)| {
                    let attempt = package.attempts.iter().find(|attempt| attempt.job == *job)?;
                    Some((build.labels[index].clone(), attempt.drone.clone(), matches!(package.phase, Phase::Failed)))
                })
            });
            let (label, drone, given_up) = attempt?;
            let word = if given_up { "failed    " } else { "not built " };
            format!("{word} {label} on {drone}: {}", line(&failure.to_string()))
        }
        Event::FleetDeclared { .. }
        | Event::BuildsKept { .. }
        | Event::BuildIdsSeen { .. }
        | Event::ReleaseSeen { .. }
        | Event::OrchestratorSeen { .. }
        | Event::RetryAsked { .. }
        | Event::JobEnded { .. }
        | Event::BuildFinished { .. }
        | Event::FailuresKept { .. }
        | Event::FinalizeAsked { .. }
        | Event::RunBegun { .. }
        | Event::RunStarted { .. }
        | Event::RunFinished { .. }
        | Event::BuildReleased { .. } => return None,
    })
}

fn needed(build: &BuildName, selection: &Selection, packages: usize) -> String {
    format!("needed     {packages} packages for {selection}, build {build}")
}

/// The last words on a build that was worked off; there are none on one that was released meanwhile.
pub fn summary(build: Option<&Build>, end: End) -> Vec<String> {
    let Some(build) = build.filter(|build| build.released.is_none()) else { return Vec::new() };
    let counts = build.counts();
    let mut lines =
        vec![format!("{} received, {} failed, {} not built", counts.received, counts.failed, counts.left())];
    lines.push(match end {
        End::Complete => "all is received: `swarm finalize` makes it live".to_owned(),
        End::SomeFailed => "some packages failed: `swarm status` says which and why".to_owned(),
        End::NoDrone => "no drone can take the rest: `swarm hosts check` says why, `swarm push` goes on".to_owned(),
        End::AllDiffer => {
            "every drone would build something otherwise than the driver: make them equal, then `swarm push` goes on"
                .to_owned()
        }
        End::Forgotten => "the build was reset".to_owned(),
    });
    lines
}

/// A line on standard error. Nobody may be reading any more; the work goes on all the same.
fn say(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{}", local(&escaped(text)));
}

struct Lines;

impl Observer for Lines {
    fn saw(&mut self, event: &Event, state: &State, _at: Timestamp) {
        if let Some(words) = words(event, state) {
            self.note(&words);
        }
    }

    fn note(&mut self, text: &str) {
        say(text);
    }
}

struct Json;

impl Observer for Json {
    fn saw(&mut self, event: &Event, _state: &State, at: Timestamp) {
        let _closed = writeln!(std::io::stdout(), "{}", event_line::of(event, at));
    }

    fn note(&mut self, text: &str) {
        say(text);
    }
}

struct Bars {
    all: MultiProgress,
    total: Option<ProgressBar>,
    drones: BTreeMap<HostName, ProgressBar>,
}

/// How often the times on the bars move.
const TICK: Duration = Duration::from_millis(200);

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::new(), total: None, drones: BTreeMap::new() }
    }

    fn draw(&mut self, state: &State) {
        let Some(build) = state.open_build() else { return };
        let size = build.packages.len() as u64;
        let done = build.received().count() as u64;
        let total = self.total.get_or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(size));
            if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {pos}/{len} received {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        total.set_length(size);
        total.set_position(done);
        for name in state.drones.keys() {
            let building: Vec<_> = state.jobs_on(name).map(|(_, job)| build.label(job.package).to_owned()).collect();
            if building.is_empty() {
                if let Some(bar) = self.drones.remove(name) {
                    bar.finish_and_clear();
                }
                continue;
            }
            let message = format!("{name}: {}", building.join(" "));
            let bar = self.drones.entry(name.clone()).or_insert_with(|| {
                let bar = self.all.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(TICK);
                bar
            });
            if bar.message() != message {
                bar.reset_elapsed();
                bar.set_message(message);
            }
        }
    }
}

impl Observer for Bars {
    fn saw(&mut self, event: &Event, state: &State, _at: Timestamp) {
        if let Some(words) = words(event, state) {
            self.note(&words);
        }
        self.draw(state);
    }

    fn note(&mut self, text: &str) {
        for text in local(&escaped(text)).lines() {
            // A terminal that is gone does not stop the work.
            let _closed = self.all.println(text);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _closed = self.all.clear();
    }
}
