//! What a failed build's exit status and log say: the class of the failure and the line that an operator would quote.

use super::job::Ending;
use crate::core::failure::{Failure, FailureClass};
use crate::portage::terminal;

/// The exit status of a process that SIGKILL ended: the kernel's answer to memory running out.
const KILLED: u32 = 137;
/// The longest reason, in characters.
const REASON_LIMIT: usize = 300;

/// Marks in a log, the first that is found decides. They are Portage's, the compiler's and the kernel's own words.
const MARKS: [(&str, FailureClass); 12] = [
    ("No space left on device", FailureClass::Resource),
    ("virtual memory exhausted", FailureClass::Resource),
    ("Cannot allocate memory", FailureClass::Resource),
    ("internal compiler error: Killed", FailureClass::Resource),
    ("fatal error: Killed signal terminated program", FailureClass::Resource),
    ("VERIFY FAILED", FailureClass::Fetch),
    ("Fetch failed for", FailureClass::Fetch),
    ("Couldn't download", FailureClass::Fetch),
    ("have been masked", FailureClass::Config),
    ("there are no ebuilds", FailureClass::Config),
    ("USE changes are necessary", FailureClass::Config),
    ("The following REQUIRED_USE flag constraints are unsatisfied", FailureClass::Config),
];

/// With less free space (KiB) than this at its end, a build that failed most likely failed for want of it.
const NO_SPACE_KIB: u64 = 16 << 10;

/// The verdict on a build that ended with this exit status, in this way, and left this end of a log.
pub fn of_build(status: u32, ending: &Ending, log: &str) -> Failure {
    let mut failure = judged(status, ending, log);
    if failure.reason.trim().is_empty() {
        failure.reason = format!("emerge ended with exit status {status}");
    }
    failure
}

fn judged(status: u32, ending: &Ending, log: &str) -> Failure {
    let lines: Vec<String> = log.lines().map(terminal::plain).collect();
    if let Some(words) = ending.stopped.as_deref().and_then(|words| words.strip_prefix("timeout ")) {
        let last = last_line(&lines).map_or_else(String::new, |line| format!("; its last line was: {line}"));
        return Failure { class: FailureClass::Timeout, reason: format!("{}{last}", quote(&terminal::plain(words))) };
    }
    if let Some(words) = ending.stopped.as_deref().and_then(|words| words.strip_prefix("room ")) {
        let reason = format!("no clean room could be made: {}", quote(&terminal::plain(words)));
        return Failure { class: FailureClass::Transfer, reason };
    }
    for (mark, class) in MARKS {
        if let Some(line) = lines.iter().find(|line| line.contains(mark)) {
            return Failure { class, reason: quote(line) };
        }
    }
    if ending.oom_kills > 0 {
        let what = died(&lines).or_else(|| last_line(&lines)).map_or_else(String::new, |line| format!(": {line}"));
        let killed = match ending.oom_kills {
            1 => "a process".to_owned(),
            count => format!("{count} processes"),
        };
        let reason = format!("the kernel ran out of memory and killed {killed}{what}");
        return Failure { class: FailureClass::Resource, reason };
    }
    if let Some(free) = ending.space_kib.filter(|free| *free < NO_SPACE_KIB) {
        let reason = format!("the build failed with {} MiB left on the drone's disk", free >> 10);
        return Failure { class: FailureClass::Resource, reason };
    }
    if status == KILLED {
        let reason = "the build was killed (exit status 137), most often because memory ran out".to_owned();
        return Failure { class: FailureClass::Resource, reason };
    }
    if let Some(reason) = died(&lines) {
        return Failure { class: FailureClass::Build, reason };
    }
    let said = last_line(&lines).map_or_else(String::new, |line| format!(": {line}"));
    let reason = format!("emerge ended with exit status {status}{said}");
    Failure { class: FailureClass::Build, reason }
}

fn last_line(lines: &[String]) -> Option<String> {
    lines.iter().rev().find(|line| !line.trim().is_empty()).map(|line| quote(line))
}

/// Portage's ` * ERROR: CPV::REPO failed (PHASE phase):` and the message below it.
fn died(lines: &[String]) -> Option<String> {
    let at = lines.iter().position(|line| line.contains("* ERROR:") && line.contains(" failed"))?;
    let phase = lines[at].split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(phase, _)| quote(phase));
    let message = lines.get(at + 1).map(|line| quote(line.trim_start_matches([' ', '*'])));
    let first_error = lines[..at].iter().find(|line| line.contains(" error: ")).map(|line| quote(line));
    let mut parts: Vec<String> = phase.into_iter().collect();
    parts.extend(message.filter(|message| !message.is_empty()));
    parts.extend(first_error);
    Some(parts.join(": ")).filter(|reason| !reason.is_empty())
}

fn quote(line: &str) -> String {
    line.trim().trim_start_matches("* ").chars().take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_judged_by_the_line_an_operator_would_quote() {
        let cases = [
            (
                1,
                "x.c:1:24: error: 'undeclared' undeclared\n * ERROR: a/b-1::gentoo failed (compile phase):\n *   emake failed\n",
                FailureClass::Build,
                "compile phase: emake failed: x.c:1:24: error: 'undeclared' undeclared",
            ),
            (1, "!!! Fetched file: x.tar.gz VERIFY FAILED!\n", FailureClass::Fetch, "VERIFY FAILED"),
            (
                1,
                "\u{1b}[31;01m * \u{1b}[0mecho: write error: No space left on device\n",
                FailureClass::Resource,
                "No space",
            ),
            (137, "making\n", FailureClass::Resource, "killed"),
            (1, "something\n\n", FailureClass::Build, "emerge ended with exit status 1: something"),
            (3, "", FailureClass::Build, "emerge ended with exit status 3"),
        ];
        for (status, log, class, words) in cases {
            let failure = of_build(status, &Ending::default(), log);
            assert_eq!(failure.class, class, "{log}");
            assert!(failure.reason.contains(words), "{:?} has no {words:?}", failure.reason);
            assert!(!failure.reason.contains('\u{1b}'));
        }
    }

    #[test]
    fn what_the_host_says_of_the_end_counts_before_the_exit_status() {
        let timeout = Ending { stopped: Some("timeout no output for 1800 s".into()), ..Ending::default() };
        let memory = Ending { oom_kills: 2, ..Ending::default() };
        let one = Ending { oom_kills: 1, ..Ending::default() };
        let space = Ending { space_kib: Some(10), ..Ending::default() };
        let cases = [
            (timeout, FailureClass::Timeout, "no output for 1800 s; its last line was: linking"),
            (memory, FailureClass::Resource, "out of memory and killed 2 processes: linking"),
            (one, FailureClass::Resource, "out of memory and killed a process: linking"),
            (space, FailureClass::Resource, "left on the drone's disk"),
            (Ending::default(), FailureClass::Build, "exit status 1"),
        ];
        for (ending, class, words) in cases {
            let failure = of_build(1, &ending, "compiling\nlinking\n");
            assert_eq!(failure.class, class);
            assert!(failure.reason.contains(words), "{}", failure.reason);
        }
    }
}
