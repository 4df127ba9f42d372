//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::layout::{areas, lines};
use super::super::list::{Scroll, Step};
use super::super::message::{Deed, Tone, Wish};
use super::super::model::{Log, Model, Pane, Section, Window};
use super::super::text;
use super::questions;

/// A step to the side, in characters, of a log that is wider than its place.
const ASIDE: usize = 20;

/// A key was pressed.
pub fn press(model: &mut Model, key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Wish::Quit),
            KeyCode::Char('z') => Some(Wish::Suspend),
            KeyCode::Char('l') => Some(Wish::Repaint),
            _ => None,
        };
    }
    if let Some(question) = model.question.take() {
        return questions::answered(model, question, key.code);
    }
    if model.typing {
        type_filter(model, key.code);
        return None;
    }
    model.notice = None;
    if model.window.is_some() {
        return in_window(model, key.code);
    }
    in_panes(model, key.code)
}

fn step(code: KeyCode) -> Option<Step> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Step::Up,
        KeyCode::Down | KeyCode::Char('j') => Step::Down,
        KeyCode::PageUp => Step::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Step::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Step::Home,
        KeyCode::End | KeyCode::Char('G') => Step::End,
        _ => return None,
    })
}

fn type_filter(model: &mut Model, code: KeyCode) {
    match code {
        KeyCode::Enter => model.typing = false,
        KeyCode::Esc => {
            model.typing = false;
            model.filter.clear();
        }
        KeyCode::Backspace if model.filter.pop().is_none() => model.typing = false,
        KeyCode::Char(character) => model.filter.push(character),
        _ => {}
    }
    model.lay();
}

fn in_window(model: &mut Model, code: KeyCode) -> Option<Wish> {
    let body = areas(model).body;
    let (height, width) = (lines(body), usize::from(body.width));
    let window = model.window.as_mut()?;
    if matches!(code, KeyCode::Esc | KeyCode::Char('q')) {
        let was_log = matches!(window, Window::Log(_));
        model.window = None;
        return was_log.then_some(Wish::NoLog);
    }
    let (scroll, count) = match window {
        Window::Help(scroll) => (scroll, text::help(width).len()),
        Window::Explain { lines, scroll, .. } => (scroll, text::explanation(lines, width).len()),
        Window::Log(log) => {
            match code {
                KeyCode::Left => log.left = log.left.saturating_sub(ASIDE),
                KeyCode::Right => log.left += ASIDE,
                _ => {}
            }
            let count = log.count();
            (&mut log.scroll, count)
        }
    };
    if let Some(step) = step(code) {
        scroll.go(step, count, height);
    }
    None
}

fn in_panes(model: &mut Model, code: KeyCode) -> Option<Wish> {
    match code {
        KeyCode::Char('q') => return questions::quit(model),
        KeyCode::Char('?') | KeyCode::F(1) => model.window = Some(Window::Help(Scroll::START)),
        KeyCode::Tab => turn(model, 1),
        KeyCode::BackTab => turn(model, Pane::ALL.len() - 1),
        KeyCode::Left => leaf(model, Section::ALL.len() - 1),
        KeyCode::Right => leaf(model, 1),
        KeyCode::Char(digit @ '1'..='6') => {
            let number = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(1);
            show(model, Section::ALL[number - 1]);
        }
        KeyCode::Char('/') => {
            model.typing = true;
            model.pane = Pane::Packages;
            model.fit();
        }
        KeyCode::Esc => {
            model.filter.clear();
            model.lay();
        }
        KeyCode::Char('b') => return questions::begin(model, Deed::Balance),
        KeyCode::Char('u') => questions::unblock(model),
        KeyCode::Char('R') => questions::reset(model),
        KeyCode::Char('f') => questions::finalize(model),
        KeyCode::Char('d') => return drain(model),
        KeyCode::Char('l') | KeyCode::Enter => return log(model),
        KeyCode::Char('e') => return explain(model),
        code => {
            if let Some(step) = step(code) {
                go(model, step);
            }
        }
    }
    None
}

/// Gives the keys to the pane that is so many further on.
fn turn(model: &mut Model, by: usize) {
    let at = Pane::ALL.iter().position(|pane| *pane == model.pane).unwrap_or(0);
    model.pane = Pane::ALL[(at + by) % Pane::ALL.len()];
    model.fit();
}

/// Shows the section that is so many further on.
fn leaf(model: &mut Model, by: usize) {
    let at = Section::ALL.iter().position(|section| *section == model.section).unwrap_or(0);
    show(model, Section::ALL[(at + by) % Section::ALL.len()]);
}

fn show(model: &mut Model, section: Section) {
    model.section = section;
    model.pane = Pane::Packages;
    model.lay();
}

fn go(model: &mut Model, step: Step) {
    let areas = areas(model);
    match model.pane {
        Pane::Drones => model.drones_at.go(step, model.drone_lines.len(), lines(areas.drones)),
        Pane::Packages => {
            model.packages_at.go(step, model.shown.len(), lines(areas.packages));
            model.fit();
        }
        Pane::Events => model.events_at.go(step, model.events.len(), lines(areas.events)),
        Pane::Swarm => {
            let count = text::swarm(model).len();
            model.swarm_at.go(step, count, lines(areas.swarm));
        }
    }
}

fn drain(model: &mut Model) -> Option<Wish> {
    let Some(line) = model.chosen_line().filter(|_| model.pane == Pane::Drones) else {
        model.notice = Some(("choose a drone first: Tab goes to the drones".to_owned(), Tone::Bad));
        return None;
    };
    let drone = line.drone.clone();
    let view = model.look.as_ref().and_then(|look| look.overview.drones.get(&drone));
    let is_draining = view.is_some_and(|view| view.draining);
    questions::begin(model, if is_draining { Deed::Undrain(drone) } else { Deed::Drain(drone) })
}

fn log(model: &mut Model) -> Option<Wish> {
    let Some(label) = model.chosen_package().map(str::to_owned) else {
        model.notice = Some(("no package is chosen".to_owned(), Tone::Bad));
        return None;
    };
    model.window = Some(Window::Log(Log::new(label.clone())));
    Some(Wish::Log(label))
}

fn explain(model: &mut Model) -> Option<Wish> {
    let Some(label) = model.chosen_package().map(str::to_owned) else {
        model.notice = Some(("no package is chosen".to_owned(), Tone::Bad));
        return None;
    };
    model.window = Some(Window::Explain { label: label.clone(), lines: Vec::new(), scroll: Scroll::START });
    Some(Wish::Explain(label))
}
