//! Where the parts of the screen are: beside each other where it is wide, else below each other.

use ratatui::layout::Rect;

use super::model::{Model, Pane};
use super::text;

/// From so many columns on there are two columns of panes.
const WIDE: u16 = 120;

/// Where they are; an empty one is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// Name, build, how far, what next.
    pub header: Rect,
    /// All between the first and the last lines.
    pub body: Rect,
    /// The drones.
    pub drones: Rect,
    /// The packages.
    pub packages: Rect,
    /// What happens.
    pub events: Rect,
    /// Release, orchestrators, queue, runs, alarms.
    pub swarm: Rect,
    /// The last line.
    pub foot: Rect,
}

/// How many lines a pane has below its heading.
pub fn lines(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(1))
}

/// Where everything is.
pub fn areas(model: &Model) -> Areas {
    let (width, height) = model.size;
    let top = model.look.as_ref().map_or(4, |look| {
        let next = text::next(&look.overview, usize::from(width)).len();
        3 + u16::try_from(next).unwrap_or(1) + u16::from(!look.overview.alarms.is_empty())
    });
    let top = top.min(height);
    let foot = u16::from(height > top);
    let header = Rect::new(0, 0, width, top);
    let body = Rect::new(0, top, width, height - top - foot);
    let foot = Rect::new(0, height - foot, width, foot);
    let drone_lines = u16::try_from(model.drone_lines.len()).unwrap_or(u16::MAX).max(1).saturating_add(1);
    let drones_height = |most: u16| drone_lines.min(most.max(2)).min(body.height);
    if width >= WIDE {
        let left = width * 3 / 5;
        let drones = drones_height(body.height * 2 / 5);
        let swarm = (body.height * 2 / 5).min(body.height);
        let right = |y, height| Rect::new(left + 1, y, width - left - 1, height);
        return Areas {
            header,
            body,
            drones: Rect::new(0, body.y, left, drones),
            packages: Rect::new(0, body.y + drones, left, body.height - drones),
            swarm: right(body.y, swarm),
            events: right(body.y + swarm, body.height - swarm),
            foot,
        };
    }
    let drones = drones_height(body.height / 3);
    let lower = (body.height / 4).max(2).min(body.height - drones);
    let packages = body.height - drones - lower;
    let lowest = Rect::new(0, body.y + drones + packages, width, lower);
    let nothing = Rect::new(0, body.y, 0, 0);
    let (events, swarm) = if model.pane == Pane::Swarm { (nothing, lowest) } else { (lowest, nothing) };
    Areas {
        header,
        body,
        drones: Rect::new(0, body.y, width, drones),
        packages: Rect::new(0, body.y + drones, width, packages),
        events,
        swarm,
        foot,
    }
}
