//! The first lines: whose build it is, how far it is, what an operator would do next.

use crate::core::build::Counts;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Canvas;
use crate::core::text::rough_duration;
use crate::ui::monitor::message::Link;
use crate::ui::monitor::style::Role;
use crate::ui::monitor::text;
use crate::ui::text::line;

/// The bar of the build has so many columns.
const BAR: std::ops::Range<usize> = 10..60;

/// Puts them there.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    title(canvas, area);
    let Some(look) = &canvas.model.look else {
        return canvas.line(area, 1, &Line::from("nothing is known yet"));
    };
    let overview = &look.overview;
    match &overview.build {
        Some(build) => {
            progress(canvas, area);
            counts(canvas, area, build.packages);
        }
        None => canvas.line(area, 1, &Line::from("no build")),
    }
    let mut row = 3;
    for words in text::next(overview, usize::from(area.width)) {
        let (heading, words) = words.split_at(text::NEXT.len());
        let heading = canvas.span(heading, Role::Strong);
        canvas.line(area, row, &Line::from(vec![heading, Span::raw(words)]));
        row += 1;
    }
    if let Some(alarm) = overview.alarms.first() {
        let more = overview.alarms.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        let words = format!("alarm: {}{more}; {}", line(&alarm.words), line(&alarm.next));
        canvas.line(area, row, &Line::from(canvas.span(words, Role::Bad)));
    }
}

/// The swarm, the build, and how it is reached.
fn title(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    let mut spans = vec![canvas.span(line(&model.swarm), Role::Strong)];
    if let Some(build) = model.look.as_ref().and_then(|look| look.overview.build.as_ref()) {
        let state = if build.released.is_some() {
            ", live"
        } else if build.finished.is_some() {
            ", over"
        } else {
            ""
        };
        spans.push(Span::raw(format!("  {} for {}{state}", build.driver, line(&build.selection))));
        spans.push(Span::raw(format!("  build {}", build.id)));
    }
    let title = Line::from(spans);
    let (words, role) = link(canvas);
    let link = Line::from(canvas.span(words, role));
    let (taken, width) = (title.width(), usize::from(area.width));
    if taken + link.width() < width || role != Role::Bad {
        canvas.line(area, 0, &title);
        return canvas.right(area, 0, taken, &link);
    }
    // What is wrong with the connection is more than the name of a build.
    canvas.line(area, 0, &link);
}

fn link(canvas: &Canvas<'_>) -> (String, Role) {
    let model = canvas.model;
    let controller = || {
        let name = model.look.as_ref().and_then(|look| look.overview.controller.as_ref());
        name.map_or_else(|| "a controller".to_owned(), |name| format!("controller {name}"))
    };
    match &model.link {
        Link::Opening => ("looking for the controller".to_owned(), Role::Warning),
        Link::Here { at_work: true } => (format!("{} at work", controller()), Role::Good),
        Link::Here { at_work: false } => ("no controller at work".to_owned(), Role::Plain),
        Link::There(address) => (format!("{} at {}", controller(), line(address)), Role::Good),
        Link::Away { since, why } => (
            format!("connection away for {}: {}", rough_duration(model.now.seconds_since(*since)), line(why)),
            Role::Bad,
        ),
    }
}

/// How far the build is, and how long it has left.
fn progress(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    let Some(look) = &model.look else { return };
    let Some(build) = &look.overview.build else { return };
    let percent = (build.done * 100.0).floor().clamp(0.0, 100.0);
    let mut words = format!(" {percent:.0} % done");
    if let Some(left) = text::left(&look.overview, model.now) {
        words.push_str(&format!(", {left}"));
    }
    let facts = [
        format!("release {}", text::release(&look.overview, model.now)),
        format!("release {}", look.overview.release.as_ref().map_or("none", |release| release.as_str())),
    ];
    let room = usize::from(area.width).saturating_sub(words.len() + 2);
    // The bar gives way to what is live, as far as it can be seen.
    let fitting = facts.iter().find(|fact| fact.len() + BAR.start <= room).map_or("", String::as_str);
    let width = room.saturating_sub(fitting.len()).clamp(BAR.start, BAR.end);
    let [full, empty] = canvas.bar(build.done, width);
    let progress = Line::from(vec![full, empty, canvas.span(words, Role::Strong)]);
    canvas.line(area, 1, &progress);
    canvas.right(area, 1, progress.width(), &Line::from(fitting));
}

/// How many packages are where, when it began, and how many alarms there are.
fn counts(canvas: &mut Canvas<'_>, area: Rect, counts: Counts) {
    let Some(look) = &canvas.model.look else { return };
    let several = [
        ("needed", counts.needed, Role::Plain),
        ("delegated", counts.delegated, Role::Good),
        ("received", counts.received, Role::Plain),
        ("failed", counts.failed, Role::Bad),
        ("blocked", counts.blocked, Role::Warning),
    ];
    let mut spans = Vec::new();
    for (word, count, role) in several {
        let role = if count == 0 { Role::Faint } else { role };
        spans.extend([canvas.span(format!("{word} {count}"), role), Span::raw("  ")]);
    }
    let counts = Line::from(spans);
    canvas.line(area, 2, &counts);
    let alarms = match look.overview.alarms.len() {
        0 => None,
        1 => Some("1 alarm".to_owned()),
        count => Some(format!("{count} alarms")),
    };
    let began =
        look.overview.build.as_ref().map(|build| rough_duration(canvas.model.now.seconds_since(build.started.0)));
    let began = began.map(|began| Span::raw(format!("began {began} ago")));
    let alarms = alarms.map(|alarms| canvas.span(alarms, Role::Bad));
    let facts: Vec<_> = alarms.into_iter().chain(began).flat_map(|fact| [Span::raw("  "), fact]).collect();
    canvas.right(area, 2, counts.width(), &Line::from(facts));
}
