//! What a message says.

use jiff::tz::TimeZone;

use crate::core::alarm::{Alarm, Telling};
use crate::core::moments::in_zone;
use crate::core::status::Moment;
use crate::core::text::escaped;
use crate::inventory::Inventory;

/// So many alarms are told in full; of more, their first line.
const IN_FULL: usize = 12;
/// So many are told at all.
const TOLD: usize = 60;
/// The longest line, in characters.
const LINE: usize = 700;
/// The longest subject, in characters.
const SUBJECT: usize = 160;

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The swarm's name.
    pub swarm: String,
    /// This host's name.
    pub host: String,
    /// The certificate that the swarm's own services show.
    pub certificate: Option<std::path::PathBuf>,
    /// The zone in which moments are told.
    pub zone: TimeZone,
}

impl Post {
    /// The one of this inventory and this host.
    pub fn of(inventory: &Inventory) -> Self {
        Self {
            swarm: inventory.swarm.name.clone(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            certificate: inventory.swarm.tls_cert.clone(),
            zone: TimeZone::system(),
        }
    }
}

/// A message, the same for all channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is about, in one line.
    pub subject: String,
    /// All of it, in lines.
    pub text: String,
    /// What is wrong.
    pub raised: Vec<Alarm>,
    /// What is over.
    pub recovered: Vec<Alarm>,
}

impl Message {
    /// What an operator, or a playbook, wants to be told.
    pub fn of_words(post: &Post, subject: &str, text: &str) -> Self {
        let subject = format!("[swarm {}] {}", post.swarm, subject);
        let text = in_zone(&escaped(text), &post.zone) + "\n" + &signature(post);
        Self { subject: clipped(&subject, SUBJECT), text, raised: Vec::new(), recovered: Vec::new() }
    }

    /// What a channel is to be told.
    pub fn of(post: &Post, telling: &Telling) -> Self {
        let Telling { raised, recovered, .. } = telling;
        let subject = format!("[swarm {}] {}", post.swarm, headline(raised, recovered));
        let mut text = String::new();
        for alarm in raised.iter().take(IN_FULL) {
            text += &in_full(alarm);
        }
        for alarm in raised.iter().skip(IN_FULL).take(TOLD) {
            text += &line("", &alarm.words.headline);
        }
        let more = raised.len().saturating_sub(IN_FULL + TOLD);
        if more > 0 {
            text += &format!("and {more} more: `swarm status` names them\n");
        }
        if !recovered.is_empty() {
            text += if raised.is_empty() { "Over:\n" } else { "\nOver:\n" };
        }
        for alarm in recovered.iter().take(TOLD) {
            let cleared = alarm.cleared.map_or_else(String::new, |at| format!(", over since {}", Moment(at)));
            text += &line("  ", &format!("{} (since {}{cleared})", alarm.words.headline, Moment(alarm.since)));
        }
        if recovered.len() > TOLD {
            text += &format!("  and {} more\n", recovered.len() - TOLD);
        }
        let text = in_zone(&text, &post.zone) + &signature(post);
        let subject = in_zone(&subject, &post.zone);
        Self { subject: clipped(&subject, SUBJECT), text, raised: raised.clone(), recovered: recovered.clone() }
    }
}

fn headline(raised: &[Alarm], recovered: &[Alarm]) -> String {
    let all = |alarms: &[Alarm]| match alarms {
        [] => String::new(),
        [one] => one.words.headline.clone(),
        several if several.iter().all(|alarm| alarm.cause.is_package()) => {
            format!("{} packages failed", several.len())
        }
        several => format!("{} alarms, first: {}", several.len(), several[0].words.headline),
    };
    match (raised, recovered) {
        ([], over) => format!("recovered: {}", all(over)),
        (raised, []) => all(raised),
        (raised, over) => format!("{}; {} recovered", all(raised), over.len()),
    }
}

fn in_full(alarm: &Alarm) -> String {
    let words = &alarm.words;
    let mut text = line("", &words.headline);
    for each in &words.lines {
        text += &line("  ", each);
    }
    text + &line("  ", &format!("next: {}", words.next)) + "\n"
}

fn signature(post: &Post) -> String {
    line("", &format!("swarm {} on {}; `swarm status` shows how it stands now", post.swarm, post.host))
}

fn line(indent: &str, text: &str) -> String {
    format!("{indent}{}\n", clipped(text, LINE))
}

/// One line of safe characters, not longer than this.
fn clipped(text: &str, limit: usize) -> String {
    let safe = escaped(text).replace('\n', " ");
    match safe.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alarm::{Cause, Words};
    use crate::core::names::Timestamp;

    fn post() -> Post {
        Post { swarm: "argo".to_owned(), host: "izar".to_owned(), certificate: None, zone: TimeZone::UTC }
    }

    fn alarm(number: usize, reason: &str) -> Alarm {
        let package = format!("app-misc/foo-{number}");
        Alarm {
            words: Words {
                headline: format!("{package} failed: build"),
                lines: vec![reason.to_owned()],
                next: format!("swarm logs {package}"),
            },
            cause: Cause::Package { driver: "capella".parse().unwrap(), package },
            since: Timestamp(0),
            at: Timestamp(0),
            attended: false,
            times: 1,
            told: [].into(),
            cleared: None,
        }
    }

    fn told(raised: usize, recovered: usize, reason: &str) -> Message {
        let alarms = |number: usize| (0..number).map(|number| alarm(number, reason)).collect();
        let (raised, mut recovered): (Vec<Alarm>, Vec<Alarm>) = (alarms(raised), alarms(recovered));
        recovered.iter_mut().for_each(|alarm| alarm.cleared = Some(Timestamp(60)));
        let telling = Telling { channel: "mail".parse().unwrap(), raised, recovered };
        Message::of(&post(), &telling)
    }

    #[test]
    fn the_subject_says_what_it_is_about() {
        for (raised, recovered, subject) in [
            (1, 0, "[swarm argo] app-misc/foo-0 failed: build"),
            (3, 0, "[swarm argo] 3 packages failed"),
            (0, 1, "[swarm argo] recovered: app-misc/foo-0 failed: build"),
            (0, 2, "[swarm argo] recovered: 2 packages failed"),
            (1, 2, "[swarm argo] app-misc/foo-0 failed: build; 2 recovered"),
        ] {
            assert_eq!(told(raised, recovered, "why").subject, subject);
        }
    }

    #[test]
    fn a_message_is_bounded_and_commands_no_terminal_whatever_a_log_says() {
        let message = told(500, 500, &format!("\u{1b}[2J{}\nBcc: x", "y".repeat(100_000)));
        assert!(message.text.len() < 32_000, "{}", message.text.len());
        assert!(message.text.contains("and 428 more: `swarm status` names them\n"), "{}", message.text);
        assert!(!message.text.contains('\u{1b}') && !message.text.contains("\nBcc"));
        assert!(message.text.lines().all(|line| line.chars().count() <= LINE + 3));
        assert_eq!(message.subject, "[swarm argo] 500 packages failed; 500 recovered");
        let long = Message::of_words(&post(), &"s".repeat(5000), "text");
        assert!(long.subject.chars().count() <= SUBJECT + 1);
    }
}
