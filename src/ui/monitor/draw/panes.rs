//! The panes: drones, packages, events, swarm. Each has a heading and a part of its lines.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Canvas, below};
use crate::core::build::Place;
use crate::core::overview::JobOverview;
use crate::core::text::rough_duration;
use crate::ui::monitor::look::{Look, Row};
use crate::ui::monitor::message::Tone;
use crate::ui::monitor::model::{DroneLine, Model, Pane, Section};
use crate::ui::monitor::style::Role;
use crate::ui::monitor::text;
use crate::ui::status;
use crate::ui::text::line;

/// The bar of a job has so many columns.
const JOB_BAR: usize = 10;
/// A name takes at least so many columns, where there is room.
const NAME: usize = 12;

/// What a line that is chosen looks like.
fn choice(model: &Model, pane: Pane) -> Role {
    if model.pane == pane { Role::Chosen } else { Role::ChosenElsewhere }
}

/// A text of at most so many columns, filled up with blanks.
fn column(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:<width$} ")
}

/// How long a job lasts, of how long it is taken to last, and what it has left.
fn times(job: &JobOverview, ago: u64) -> String {
    let lasted = job.lasted_s + ago;
    match job.expected_s.checked_sub(lasted).filter(|left| *left > 0) {
        Some(left) => format!(" {} left of {}", rough_duration(left), rough_duration(job.expected_s)),
        None => format!(" for {}, {} expected", rough_duration(lasted), rough_duration(job.expected_s)),
    }
}

/// The drones, with what they build.
pub fn drones(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    let Some(look) = &model.look else { return canvas.heading(area, Pane::Drones, "Drones", Vec::new()) };
    let overview = &look.overview;
    let jobs: usize = overview.drones.values().map(|drone| drone.jobs.len()).sum();
    let at_work = overview.drones.values().filter(|drone| !drone.jobs.is_empty()).count();
    let count = format!("{at_work} of {} at work, {jobs} jobs ", overview.drones.len());
    canvas.heading(area, Pane::Drones, "Drones", vec![Span::raw(count)]);
    let place = below(area);
    let name = overview.drones.keys().map(|name| name.as_str().len()).max().unwrap_or(0).clamp(4, 16);
    let window = model.drones_at.window(model.drone_lines.len(), usize::from(place.height));
    let first = window.start;
    for (row, (index, drone_line)) in (0..).zip(model.drone_lines[window].iter().enumerate()) {
        let line = drone(canvas, look, drone_line, name, index == 0);
        canvas.line(place, row, &line);
        if first + index == model.drones_at.at {
            canvas.dress(place, row, choice(model, Pane::Drones));
        }
    }
    if model.drone_lines.is_empty() {
        canvas.line(place, 0, &Line::from("no drone is known: the inventory has none, or nothing was pushed yet"));
    }
}

/// A drone with one of its jobs; further jobs stand below without its name.
fn drone(canvas: &Canvas<'_>, look: &Look, at: &DroneLine, name: usize, is_first: bool) -> Line<'static> {
    let Some(drone) = look.overview.drones.get(&at.drone) else { return Line::default() };
    let (word, role) = text::state(drone.view.state);
    let mut spans = if is_first || at.job.is_none_or(|job| job == 0) {
        vec![
            canvas.span(column(at.drone.as_str(), name), Role::Strong),
            canvas.span(column(word, 11), role),
            Span::raw(column(&format!("{} cores", drone.view.cores), 9)),
        ]
    } else {
        vec![Span::raw(" ".repeat(name + 1 + 12 + 10))]
    };
    let trouble = status::why(&drone.view).map(|why| line(&why));
    if let Some(job) = at.job.and_then(|job| drone.jobs.get(job)) {
        let ago = canvas.model.now.seconds_since(look.overview.at.0);
        let share = JobOverview { lasted_s: job.lasted_s + ago, ..job.clone() }.share();
        spans.extend(canvas.bar(share, JOB_BAR));
        spans.push(Span::raw(format!(" {}", line(&job.package))));
        spans.push(canvas.span(times(job, ago), Role::Faint));
        if let Some(trouble) = trouble.filter(|_| at.job == Some(0)) {
            spans.push(canvas.span(format!("; {trouble}"), Role::Warning));
        }
    } else if let Some(trouble) = trouble {
        spans.push(canvas.span(trouble, if role == Role::Plain { Role::Faint } else { role }));
    }
    Line::from(spans)
}

/// The packages of a section.
pub fn packages(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    packages_heading(canvas, area);
    let Some(look) = &model.look else { return };
    let place = below(area);
    let window = model.packages_at.window(model.shown.len(), usize::from(place.height));
    let rows: Vec<(usize, &Row)> = window.filter_map(|index| Some((index, model.row_at(index)?))).collect();
    let longest = rows.iter().map(|(_, row)| row.view.label.chars().count()).max().unwrap_or(0);
    let name = longest.clamp(NAME, (usize::from(area.width) * 2 / 5).max(NAME));
    for (screen, (index, row)) in (0..).zip(rows) {
        let line = package(canvas, look, row, name, usize::from(area.width) >= 100);
        canvas.line(place, screen, &line);
        if index == model.packages_at.at {
            canvas.dress(place, screen, choice(model, Pane::Packages));
        }
    }
    if model.shown.is_empty() {
        let filter = if model.filter.is_empty() { "" } else { " with this in its name: Esc shows all" };
        canvas.line(place, 0, &Line::from(format!("no package{filter}")));
    }
}

fn packages_heading(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    let counts = model.look.as_ref().and_then(|look| look.overview.build.as_ref()).map(|build| build.packages);
    let counts = counts.unwrap_or_default();
    let mut spans = Vec::new();
    for section in Section::ALL {
        let (word, count) = match section {
            Section::All => ("all", counts.all()),
            Section::Waiting => ("waiting", counts.needed),
            Section::Building => ("building", counts.delegated),
            Section::Failed => ("failed", counts.failed),
            Section::Blocked => ("blocked", counts.blocked),
            Section::Received => ("received", counts.received),
        };
        let role = if section == model.section { Role::Chosen } else { Role::Plain };
        spans.push(canvas.span(format!("{word} {count}"), role));
        spans.push(Span::raw(" "));
    }
    if !model.filter.is_empty() {
        spans.push(canvas.span(format!("/{} ({}) ", line(&model.filter), model.shown.len()), Role::Warning));
    }
    let name = if area.width >= 70 { "Packages" } else { "P" };
    canvas.heading(area, Pane::Packages, name, spans);
}

/// A package: where it is, whether it decides when the build ends, its name, and why it is there.
fn package(canvas: &Canvas<'_>, look: &Look, row: &Row, name: usize, wide: bool) -> Line<'static> {
    let (word, role) = text::place(row.view.place);
    let mark = if row.view.critical { canvas.span("*", Role::Warning) } else { Span::raw(" ") };
    let mut spans = vec![canvas.span(column(word, 8), role), mark, Span::raw(column(&line(&row.view.label), name))];
    if wide {
        let takes = matches!(row.view.place, Place::Needed | Place::Delegated | Place::Blocked);
        let expected = if takes { format!("~{}", rough_duration(row.view.expected_s)) } else { String::new() };
        spans.push(canvas.span(column(&expected, 9), Role::Faint));
    }
    let job = row.job.as_ref().and_then(|name| {
        let mut jobs =
            look.overview.drones.iter().flat_map(|(drone, view)| view.jobs.iter().map(move |job| (drone, job)));
        jobs.find(|(_, job)| job.job == *name)
    });
    match job {
        Some((drone, job)) => {
            let ago = canvas.model.now.seconds_since(look.overview.at.0);
            spans.extend(canvas.bar(JobOverview { lasted_s: job.lasted_s + ago, ..job.clone() }.share(), JOB_BAR));
            spans.push(Span::raw(format!(" on {drone}")));
            spans.push(canvas.span(times(job, ago), Role::Faint));
        }
        None => spans.push(Span::raw(text::why(look, row))),
    }
    Line::from(spans)
}

/// What happened.
pub fn events(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    if area.height == 0 || area.width == 0 {
        return;
    }
    let more = if model.events_at.follows() { "" } else { "not at the end: G " };
    canvas.heading(area, Pane::Events, "Events", vec![Span::raw(more)]);
    let place = below(area);
    let window = model.events_at.window(model.events.len(), usize::from(place.height));
    for (row, said) in (0..).zip(model.events.range(window)) {
        let role = match said.tone {
            Tone::Plain => Role::Plain,
            Tone::Good => Role::Good,
            Tone::Bad => Role::Bad,
        };
        let time = canvas.span(format!("{} ", text::time(model, said.at)), Role::Faint);
        let text = crate::core::text::escaped(&said.text.replace('\n', " "));
        canvas.line(place, row, &Line::from(vec![time, canvas.span(text, role)]));
    }
}

/// Release, orchestrators, standbys, queue, last run, alarms.
pub fn swarm(canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 || area.width == 0 {
        return;
    }
    canvas.heading(area, Pane::Swarm, "Swarm", Vec::new());
    let place = below(area);
    let lines = text::swarm(canvas.model);
    let window = canvas.model.swarm_at.window(lines.len(), usize::from(place.height));
    for (row, line) in (0..).zip(&lines[window]) {
        canvas.line(place, row, line);
    }
}
