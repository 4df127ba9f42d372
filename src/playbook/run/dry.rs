//! What a run would do, without any of it.

use super::{Start, zoned};
use crate::controller::now;
use crate::core::event::Wanted;
use crate::core::text::printable;
use crate::playbook::command::{Circumstances, command_line};
use crate::playbook::condition::{Turn, turn};
use crate::playbook::step::{Step, When};
use crate::ssh::quoted;

/// What each step would run, and whether it would be, as things stand before the first one; what is at fault comes as an
/// error.
pub fn dry(start: &Start<'_>) -> Vec<Result<String, String>> {
    let began = now();
    let deadline = start.end_of_time(&zoned(began));
    let closed = start.closed(began, deadline);
    let line = |(index, step): (usize, &Step)| {
        let atoms: Vec<Wanted> =
            step.what.reads().and_then(|from| format!("ATOMS-OF-{from}").parse().ok()).into_iter().collect();
        let circumstances = Circumstances {
            given: &start.given,
            driver: &start.driver,
            queued: start.queued,
            until: deadline,
            is_read: start.playbook.is_read(step),
            atoms: &atoms,
        };
        let head = format!("{} {}", index + 1, step.name);
        let line = command_line(step, &circumstances).map_err(|fault| format!("{head}: {fault}"))?;
        let now = match turn(step, &[], &start.given, closed.as_deref()) {
            Turn::Run => String::new(),
            Turn::Skip(reason) if step.when == When::Always => format!("  (not run: {reason})"),
            Turn::Skip(_) => format!("  (only {})", only(step.when)),
            Turn::Late(reason) => format!("  (not begun now: {reason})"),
        };
        Ok(format!("{head}: {}{now}", shown(&line.words)))
    };
    start.playbook.steps.iter().enumerate().map(line).collect()
}

fn only(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::Changed => "where an earlier step has changed something",
        When::Failed => "where an earlier step has failed",
        When::Succeeded => "where no earlier step has failed",
    }
}

/// A command line for people.
pub(super) fn shown(words: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./_-{}".contains(&byte);
    let word = |word: &String| match !word.is_empty() && word.bytes().all(plain) {
        true => word.clone(),
        false => quoted(word),
    };
    printable(&words.iter().map(word).collect::<Vec<_>>().join(" ").replace('\n', "⏎"))
}
