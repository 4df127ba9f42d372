//! A model put on a screen. Nothing is read but the model, and of its lists only what fits.

mod header;
mod panes;
mod windows;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout::areas;
use super::message::Tone;
use super::model::{Model, Pane};
use super::style::Role;
use crate::ui::text::line;

/// The smallest screen (columns, lines) on which there is something to see.
const SMALLEST: (u16, u16) = (40, 10);

/// Puts it there.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let size = frame.area();
    let mut canvas = Canvas { model, buffer: frame.buffer_mut() };
    // Between a change of the size and the word of it.
    if size.width < model.size.0 || size.height < model.size.1 {
        return;
    }
    if model.size.0 < SMALLEST.0 || model.size.1 < SMALLEST.1 {
        let words = format!("{} by {} is too small", model.size.0, model.size.1);
        return canvas.line(size, 0, &Line::from(words));
    }
    let areas = areas(model);
    header::draw(&mut canvas, areas.header);
    match &model.window {
        Some(window) => windows::draw(&mut canvas, areas.body, window),
        None => {
            panes::drones(&mut canvas, areas.drones);
            panes::packages(&mut canvas, areas.packages);
            panes::events(&mut canvas, areas.events);
            panes::swarm(&mut canvas, areas.swarm);
        }
    }
    foot(&mut canvas, areas.foot);
}

/// A screen in the making.
struct Canvas<'a> {
    model: &'a Model,
    buffer: &'a mut Buffer,
}

impl Canvas<'_> {
    fn style(&self, role: Role) -> Style {
        self.model.palette.style(role)
    }

    fn span<'t>(&self, text: impl Into<std::borrow::Cow<'t, str>>, role: Role) -> Span<'t> {
        Span::styled(text, self.style(role))
    }

    /// Puts a line into a row of a place; what does not fit is cut off, with a mark that says so.
    fn line(&mut self, area: Rect, row: u16, line: &Line<'_>) {
        if row >= area.height || area.width == 0 {
            return;
        }
        let y = area.y + row;
        self.buffer.set_line(area.x, y, line, area.width);
        if line.width() > usize::from(area.width) {
            let style = line.spans.last().map_or_else(Style::new, |span| span.style);
            self.buffer.set_stringn(area.right() - 1, y, self.model.palette.marks.cut, 1, style);
        }
    }

    /// Puts a line to the right end of a row, where it fits behind what stands to the left.
    fn right(&mut self, area: Rect, row: u16, taken: usize, line: &Line<'_>) {
        let width = line.width();
        if row < area.height && taken + width < usize::from(area.width) {
            let width = u16::try_from(width).unwrap_or(area.width);
            self.buffer.set_line(area.right() - width, area.y + row, line, width);
        }
    }

    /// Lets a row look otherwise.
    fn dress(&mut self, area: Rect, row: u16, role: Role) {
        if row < area.height {
            let style = self.style(role);
            self.buffer.set_style(Rect::new(area.x, area.y + row, area.width, 1), style);
        }
    }

    /// The heading of a pane, with a rule to its end.
    fn heading(&mut self, area: Rect, pane: Pane, name: &str, rest: Vec<Span<'_>>) {
        let has_keys = self.model.pane == pane;
        let mut spans = vec![self.span(format!(" {name} "), if has_keys { Role::Focus } else { Role::Title })];
        spans.push(Span::raw(" "));
        spans.extend(rest);
        self.ruled(area, spans);
    }

    /// A line with a rule from its end to the right.
    fn ruled<'t>(&mut self, area: Rect, mut spans: Vec<Span<'t>>) {
        let taken: usize = spans.iter().map(Span::width).sum();
        let rule = self.model.palette.marks.rule.repeat(usize::from(area.width).saturating_sub(taken));
        spans.push(self.span(rule, Role::Faint));
        self.line(area, 0, &Line::from(spans));
    }

    /// A bar of so many columns, of which this share is full.
    fn bar(&self, share: f64, width: usize) -> [Span<'static>; 2] {
        let marks = self.model.palette.marks;
        let full = ((share.clamp(0.0, 1.0) * width as f64) as usize).min(width);
        [self.span(marks.full.repeat(full), Role::Good), self.span(marks.empty.repeat(width - full), Role::Faint)]
    }
}

/// What is below the heading of a pane.
fn below(area: Rect) -> Rect {
    let height = area.height.saturating_sub(1);
    Rect::new(area.x, area.y + area.height.min(1), area.width, height)
}

/// The last line: what is asked, typed or said, else the keys.
fn foot(canvas: &mut Canvas<'_>, area: Rect) {
    let model = canvas.model;
    if let Some(question) = &model.question {
        canvas.dress(area, 0, Role::Question);
        return canvas.line(area, 0, &Line::from(canvas.span(line(&question.words), Role::Question)));
    }
    if model.typing {
        let typed = Line::from(vec![
            canvas.span("/", Role::Strong),
            Span::raw(line(&model.filter)),
            canvas.span(" ", Role::Chosen),
            Span::raw("  Enter keeps it, Esc ends it"),
        ]);
        return canvas.line(area, 0, &typed);
    }
    if let Some((words, tone)) = &model.notice {
        let role = match tone {
            Tone::Plain => Role::Strong,
            Tone::Good => Role::Good,
            Tone::Bad => Role::Bad,
        };
        return canvas.line(area, 0, &Line::from(canvas.span(line(words), role)));
    }
    if let Some(busy) = &model.busy {
        let words = format!("swarm {}: it is being carried out", line(&busy.arguments().join(" ")));
        return canvas.line(area, 0, &Line::from(canvas.span(words, Role::Strong)));
    }
    let keys: &[(&str, &str)] = match &model.window {
        Some(_) => &[("q", "close"), ("j k", "move"), ("G", "end")],
        None => &[
            ("?", "help"),
            ("q", "quit"),
            ("Tab", "pane"),
            ("/", "filter"),
            ("l", "log"),
            ("e", "explain"),
            ("u", "unblock"),
            ("d", "drain"),
            ("f", "finalize"),
            ("R", "reset"),
            ("b", "balance"),
        ],
    };
    let mut room = usize::from(area.width);
    let mut spans = Vec::new();
    for (key, does) in keys {
        // Half a word helps nobody.
        let Some(rest) = room.checked_sub(key.len() + does.len() + 1) else { break };
        room = rest.saturating_sub(2);
        spans.extend([canvas.span(*key, Role::Strong), Span::raw(format!(" {does}  "))]);
    }
    canvas.buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
}
