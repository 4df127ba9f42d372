//! The words of the monitor: what a package, a drone, the swarm is to whoever looks.

use bytesize::ByteSize;
use ratatui::text::{Line, Span};

use super::look::{Look, Row};
use super::model::Model;
use super::style::Role;
use crate::core::build::Place;
use crate::core::names::Timestamp;
use crate::core::overview::Overview;
use crate::core::status::{DroneState, Moment, RunView};
use crate::core::text::escaped;
use crate::core::text::rough_duration;
use crate::ui::status;
use crate::ui::text::line;

/// The keys, and what each does.
pub const KEYS: [(&str, &str); 26] = [
    ("Tab, Shift-Tab", "go to the next pane, to the one before"),
    ("j k, Down Up", "one line down, up"),
    ("PgDn PgUp, Space", "a screenful down, up"),
    ("g G, Home End", "to the first line, to the last; the last one of a log or of the events is followed"),
    ("Right Left, 1 to 6", "which packages: all, waiting, building, failed, blocked, received"),
    ("/", "show only packages with this in their names: Enter keeps it, Esc ends it"),
    ("Esc", "show all again"),
    ("", ""),
    ("l, Enter", "the log of the package that is chosen, as it grows; Left and Right move it aside"),
    ("e", "why that package is where it is, and what can be done"),
    ("", ""),
    ("b", "balance: say what would go to which drone"),
    ("u", "unblock: try what failed again (asks)"),
    ("d", "drain the drone that is chosen: no new work for it; again: let it work"),
    ("f", "finalize: release what is received (asks)"),
    ("R", "reset: forget the build (asks)"),
    ("", ""),
    ("q", "leave this window; leave the monitor"),
    ("Ctrl-C", "leave the monitor at once; what is being built goes on"),
    ("Ctrl-Z", "stop it until `fg`"),
    ("Ctrl-L", "paint the screen anew"),
    ("", ""),
    ("*", "marks what is on the longest path to the end of the build: it decides how long the rest takes"),
    ("~12 min", "is how long a package is taken to last"),
    ("done", "is by the work that packages are taken to cost, not by their number"),
    ("left", "is what the rest is taken to last on the drones that take work"),
];

/// Texts broken into lines of so many columns between words; further lines of one begin with this.
pub fn wrapped<'t>(texts: impl IntoIterator<Item = &'t str>, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for text in texts {
        let mut line = String::new();
        for word in text.split_inclusive(' ') {
            let long = line.chars().count() + word.trim_end().chars().count() > width;
            if long && !line.trim().is_empty() {
                lines.push(std::mem::replace(&mut line, indent.to_owned()));
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The help, in lines of so many columns.
pub fn help(width: usize) -> Vec<String> {
    let keys = KEYS.iter().map(|(key, does)| format!("{key:<20} {does}")).collect::<Vec<_>>();
    wrapped(keys.iter().map(String::as_str), width, &" ".repeat(21))
}

/// Why a package is where it is, in lines of so many columns.
pub fn explanation(lines: &[String], width: usize) -> Vec<String> {
    let escaped: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    wrapped(escaped.iter().map(String::as_str), width, "    ")
}

/// What the operator would do next, in a line or two.
pub fn next(overview: &Overview, width: usize) -> Vec<String> {
    let words = format!("{NEXT}{}", line(&overview.next));
    let mut lines = wrapped([words.as_str()], width, &" ".repeat(NEXT.len()));
    lines.truncate(2);
    lines
}

/// What stands before that.
pub const NEXT: &str = "next: ";

/// What a package's place is called.
pub fn place(place: Place) -> (&'static str, Role) {
    match place {
        Place::Failed => ("failed", Role::Bad),
        Place::Delegated => ("building", Role::Good),
        Place::Needed => ("waits", Role::Plain),
        Place::Blocked => ("blocked", Role::Warning),
        Place::Received => ("received", Role::Faint),
    }
}

/// What a drone does.
pub fn state(state: DroneState) -> (&'static str, Role) {
    let role = match state {
        DroneState::Idle => Role::Plain,
        DroneState::Building => Role::Good,
        DroneState::Draining | DroneState::Grounded => Role::Warning,
        DroneState::Unwell | DroneState::Unreachable | DroneState::Refused => Role::Bad,
    };
    (state.as_str(), role)
}

/// The first of some packages, and how many there are besides.
fn names(look: &Look, row: &Row) -> String {
    let named = row.awaits.iter().filter_map(|package| look.rows.get(package.index()));
    let names: Vec<String> = named.map(|row| line(&row.view.label)).collect();
    let more = row.awaited.saturating_sub(names.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    names.join(", ") + &more
}

/// Why a package is where it is, in one line; what is being built has a bar instead.
pub fn why(look: &Look, row: &Row) -> String {
    match row.view.place {
        Place::Failed => look.overview.failed.get(&row.view.label).map_or_else(String::new, |failed| {
            let view = &failed.view;
            let times = if view.attempts == 1 { String::new() } else { format!(", {} times", view.attempts) };
            let blocks = if failed.blocks == 0 { String::new() } else { format!("{} wait for it; ", failed.blocks) };
            format!("{blocks}{} on {}{times}: {}", view.class, view.drone, line(&view.reason))
        }),
        Place::Needed if row.awaited == 0 => "for a drone".to_owned(),
        Place::Needed => format!("for {}", names(look, row)),
        Place::Blocked => format!("by {}", names(look, row)),
        Place::Delegated | Place::Received => String::new(),
    }
}

/// How long the rest of the build is taken to last, in words.
pub fn left(overview: &Overview, now: Timestamp) -> Option<String> {
    let build = overview.build.as_ref().filter(|build| build.finished.is_none() && build.released.is_none())?;
    Some(match build.left_s {
        Some(left_s) => {
            let left = left_s.saturating_sub(now.seconds_since(overview.at.0));
            if left == 0 { "nearly done".to_owned() } else { format!("about {} left", rough_duration(left)) }
        }
        None if build.packages.needed + build.packages.delegated == 0 => "nothing left to build".to_owned(),
        None => "time left unknown".to_owned(),
    })
}

/// A line of the pane about the swarm: a heading and what it is about.
fn entry(model: &Model, heading: &str, text: String, role: Role) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{heading:<10}"), model.palette.style(Role::Strong)),
        Span::styled(text, model.palette.style(role)),
    ])
}

/// Release, orchestrators, standbys, queue, last run, alarms and notes, a line each.
pub fn swarm(model: &Model) -> Vec<Line<'static>> {
    let Some(look) = &model.look else { return Vec::new() };
    let overview = &look.overview;
    let mut lines = Vec::new();
    let mut tell = |heading: &str, text: String, role| lines.push(entry(model, heading, text, role));
    tell("release", release(overview, model.now), Role::Plain);
    for (name, own) in overview.orchestrators.iter().filter(|(_, own)| **own != overview.release) {
        let own = own.as_ref().map_or("no release of ours", |release| release.as_str());
        tell("behind", format!("{name} has {own}"), Role::Warning);
    }
    for (name, view) in &overview.standbys {
        let role = if view.away { Role::Bad } else { Role::Plain };
        tell("standby", format!("{name} {}", status::behind(&view.lag)), role);
    }
    if let Some(follows) = &overview.follows {
        let trouble = follows.trouble.as_ref().map_or_else(String::new, |why| format!("; {}", line(why)));
        let role = if follows.trouble.is_some() { Role::Bad } else { Role::Plain };
        tell("follows", format!("{}; it {}{trouble}", follows.leader, status::behind(&follows.lag)), role);
    }
    for alarm in &overview.alarms {
        tell("alarm", format!("{} (since {})", line(&alarm.words), date(model, alarm.since.0)), Role::Bad);
        tell("", line(&alarm.next), Role::Plain);
    }
    for (channel, view) in &overview.channels {
        tell("not told", format!("{channel} fails, {} times: {}", view.failures, line(&view.why)), Role::Bad);
    }
    if let Some(low) = &overview.low_disk {
        let free = ByteSize(low.free).display().iec();
        tell("disk low", format!("{} has {free} left", line(&low.what.display().to_string())), Role::Bad);
    }
    for queued in &overview.queue {
        let text =
            format!("{}, {} packages of {} for {}", queued.id, queued.packages, queued.driver, line(&queued.selection));
        tell("queue", text, Role::Plain);
    }
    for build in &overview.set_aside {
        tell("set aside", format!("{build}: `swarm finalize --build {build}` releases it"), Role::Warning);
    }
    if let Some(run) = &overview.last_run {
        let role = if run.status.is_none_or(|status| status == 0) { Role::Plain } else { Role::Warning };
        tell("last run", last_run(run, model.now), role);
    }
    for warning in &overview.warnings {
        tell("note", line(warning), Role::Plain);
    }
    lines
}

/// How the last unattended run went.
fn last_run(run: &RunView, now: Timestamp) -> String {
    let ago = |moment: &Moment| rough_duration(now.seconds_since(moment.0));
    let (Some(finished), Some(status)) = (&run.finished, run.status) else {
        return format!("{}, at work for {}", run.name, ago(&run.started));
    };
    let reason = run.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", line(reason)));
    format!("{} ended {} ago with status {status}{reason}", run.name, ago(finished))
}

/// What is live, and since when.
pub fn release(overview: &Overview, now: Timestamp) -> String {
    let Some(release) = &overview.release else { return "none".to_owned() };
    let since =
        overview.released.as_ref().map(|moment| format!(", live for {}", rough_duration(now.seconds_since(moment.0))));
    format!("{release}{}", since.unwrap_or_default())
}

/// A moment by the operator's clock: date and time.
fn date(model: &Model, at: Timestamp) -> String {
    local(model, at, "%Y-%m-%d %H:%M")
}

/// A moment by the operator's clock: the time.
pub fn time(model: &Model, at: Timestamp) -> String {
    local(model, at, "%H:%M:%S")
}

fn local(model: &Model, at: Timestamp, form: &str) -> String {
    let moment = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    model.zone.to_datetime(moment).strftime(form).to_string()
}
