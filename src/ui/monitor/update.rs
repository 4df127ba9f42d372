//! How a message changes what is shown, and what the monitor then wants.

mod keys;
mod questions;

use super::message::{Deed, Message, Said, Tone, Wish};
use super::model::{Model, Window};

/// Takes a message in.
pub fn update(model: &mut Model, message: Message) -> Option<Wish> {
    match message {
        Message::Key(key) => return keys::press(model, key),
        Message::Resized(columns, lines) => {
            model.size = (columns, lines);
            model.fit();
        }
        Message::Now(now) => model.now = now,
        Message::Look(look) => {
            model.now = model.now.max(look.overview.at.0);
            model.look = Some(look);
            model.lay();
        }
        Message::Happened(said) => model.happened(said),
        Message::Link(link) => model.link = link,
        Message::Done { deed, lines, good } => done(model, &deed, lines, good),
        Message::Explained { label, lines: told } => {
            if let Some(Window::Explain { label: own, lines, .. }) = &mut model.window
                && *own == label
            {
                *lines = told;
            }
        }
        Message::Log { label, text, begins } => {
            if let Some(Window::Log(log)) = model.window.as_mut().filter(|window| is_log_of(window, &label)) {
                log.append(&text, begins);
            }
        }
        Message::NoLog { label, why } => {
            if let Some(Window::Log(log)) = model.window.as_mut().filter(|window| is_log_of(window, &label)) {
                log.none = Some(why);
            }
        }
    }
    None
}

fn is_log_of(window: &Window, label: &str) -> bool {
    matches!(window, Window::Log(log) if log.label == label)
}

fn done(model: &mut Model, deed: &Deed, lines: Vec<String>, good: bool) {
    model.busy = None;
    let tone = if good { Tone::Good } else { Tone::Bad };
    let command = format!("swarm {}", deed.arguments().join(" "));
    // What is said at last is the outcome.
    let outcome =
        lines.last().cloned().unwrap_or_else(|| if good { "done" } else { "it could not be done" }.to_owned());
    let said = |text: String, tone| Said { at: model.now, text, tone };
    let mut told = vec![said(command.clone(), Tone::Plain)];
    told.extend(lines.into_iter().map(|line| said(format!("  {line}"), tone)));
    model.happened(told);
    model.notice = Some((format!("{command}: {outcome}"), tone));
}
