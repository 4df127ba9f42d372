//! What lies over the panes: the keys, why a package is where it is, its log.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Canvas, below};
use crate::core::text::escaped;
use crate::portage::terminal;
use crate::ui::monitor::list::Scroll;
use crate::ui::monitor::model::{Log, Window};
use crate::ui::monitor::style::Role;
use crate::ui::monitor::text;
use crate::ui::text::line;

/// Puts one there.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, window: &Window) {
    match window {
        Window::Help(scroll) => help(canvas, area, *scroll),
        Window::Explain { label, lines, scroll } => explain(canvas, area, label, lines, *scroll),
        Window::Log(log) => self::log(canvas, area, log),
    }
}

fn title(canvas: &mut Canvas<'_>, area: Rect, name: &str, rest: &str) {
    let spans = vec![canvas.span(format!(" {name} "), Role::Focus), Span::raw(format!(" {rest} "))];
    canvas.ruled(area, spans);
}

fn help(canvas: &mut Canvas<'_>, area: Rect, scroll: Scroll) {
    title(canvas, area, "Help", "swarm monitor");
    let lines = text::help(usize::from(area.width));
    part(canvas, below(area), &lines, scroll);
}

fn explain(canvas: &mut Canvas<'_>, area: Rect, label: &str, lines: &[String], scroll: Scroll) {
    title(canvas, area, "Explain", &line(label));
    if lines.is_empty() {
        return canvas.line(below(area), 0, &Line::from(canvas.model.palette.marks.cut));
    }
    part(canvas, below(area), &text::explanation(lines, usize::from(area.width)), scroll);
}

/// The lines that are shown.
fn part(canvas: &mut Canvas<'_>, place: Rect, lines: &[String], scroll: Scroll) {
    for (row, line) in (0..).zip(&lines[scroll.window(lines.len(), usize::from(place.height))]) {
        canvas.line(place, row, &Line::from(line.trim_end()));
    }
}

fn log(canvas: &mut Canvas<'_>, area: Rect, log: &Log) {
    let follows = if log.scroll.follows() { "its end, as it grows" } else { "G goes to its end" };
    title(canvas, area, "Log", &format!("{}, {follows}", line(&log.label)));
    let place = below(area);
    if let Some(none) = log.none.as_ref().filter(|_| log.lines.is_empty()) {
        return canvas.line(place, 0, &Line::from(line(none)));
    }
    let count = log.count();
    let window = log.scroll.window(count, usize::from(place.height));
    for (row, text) in (0..).zip(log.lines.range(window)) {
        canvas.line(place, row, &Line::from(shown(text).chars().skip(log.left).collect::<String>()));
    }
}

/// What a terminal would have shown of a line at last, as text that does nothing to ours.
fn shown(text: &str) -> String {
    let last = terminal::shown(text).filter(|shown| !shown.trim().is_empty()).last();
    escaped(&last.unwrap_or_default())
}
