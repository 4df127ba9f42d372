//! `[notify.NAME]`: the channels by which alarms are told.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use super::values::{self, ValueError};
use crate::core::alarm::Kind;
use crate::core::names::ChannelName;
use crate::core::nearest::did_you_mean;
use crate::document::{Reading, Section};

/// A channel by which alarms are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What it is and what it is told.
    pub settings: ChannelSettings,
}

/// What the inventory says of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// How it is told.
    pub way: Way,
    /// What it is told of.
    pub on: BTreeSet<Kind>,
    /// Whether also of what failed in a push at a terminal.
    pub attended: bool,
}

/// How a channel is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A mail, through `sendmail`.
    Mail {
        /// To whom.
        to: Vec<MailAddress>,
        /// Of whom; none is `swarm` at this host.
        from: Option<MailAddress>,
        /// The program that takes it.
        sendmail: PathBuf,
    },
    /// A POST of JSON.
    Webhook {
        /// Where to.
        url: WebhookUrl,
        /// The file with the bearer token; none sends none.
        token_file: Option<PathBuf>,
    },
    /// A program and its arguments; it gets the text on its standard input.
    Command(Vec<String>),
}

const SENDMAIL: &str = "/usr/sbin/sendmail";

impl ChannelSettings {
    /// Reads `[notify.NAME]`; none where it is not clear how it is told.
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let mail = section.texts("mail", reading, str::parse);
        let from = section.text("from", reading, str::parse);
        let sendmail = section.path("sendmail", reading);
        let webhook = section.text("webhook", reading, str::parse);
        let token_file = section.path("token_file", reading);
        let command = section.texts("command", reading, argument);
        let on = section.texts("on", reading, kind);
        let attended = section.flag("attended", reading);
        let ways: Vec<&str> = ["mail", "webhook", "command"].into_iter().filter(|key| section.has(key)).collect();
        match ways.as_slice() {
            [] => {
                let help = "give it one of `mail`, `webhook` and `command`".to_owned();
                reading.faults.push(section.site.fault("it says no way to tell anybody", Some(help)));
            }
            [_, second, ..] => {
                let problem = "a channel has one way: give this one a table of its own";
                reading.faults.push(section.site_of(second).fault(problem, None));
            }
            [own] => {
                for (key, of) in [("from", "mail"), ("sendmail", "mail"), ("token_file", "webhook")] {
                    if section.has(key) && of != *own {
                        let problem = format!("it is of no use without `{of}`");
                        reading.faults.push(section.site_of(key).fault(problem, None));
                    }
                }
            }
        }
        if command.as_ref().is_some_and(|words| words.first().is_none_or(|program| !program.starts_with('/'))) {
            let problem = "it begins with the path of a program, from / on";
            reading.faults.push(section.site_of("command").fault(problem, None));
        }
        section.finish(reading);
        let sendmail = sendmail.unwrap_or_else(|| SENDMAIL.into());
        let way = mail
            .map(|to| Way::Mail { to, from, sendmail })
            .or(webhook.map(|url| Way::Webhook { url, token_file }))
            .or(command.map(Way::Command))?;
        let all = || Kind::WORDS.map(|(_, kind)| kind).into_iter().collect();
        let on = on.map_or_else(all, |kinds| kinds.into_iter().collect());
        Some(Self { way, on, attended: attended.unwrap_or(false) })
    }
}

fn kind(text: &str) -> Result<Kind, ValueError> {
    let found = Kind::WORDS.iter().find(|(word, _)| *word == text).map(|(_, kind)| *kind);
    found.ok_or_else(|| {
        let help = did_you_mean(text, Kind::WORDS.map(|(word, _)| word)).unwrap_or_default();
        ValueError(format!("{text:?} is nothing that is told; {help}"))
    })
}

fn argument(text: &str) -> Result<String, ValueError> {
    match text.contains('\0') {
        true => Err(ValueError(format!("{text:?} is no argument of a program"))),
        false => Ok(text.to_owned()),
    }
}

/// An address of a mail, such as `root` or `root@example.org`: what RFC 5322 calls a dot-atom, with a domain or without,
/// so that it needs no quoting in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress(String);

impl MailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MailAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let atom = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
            !part.is_empty() && part.bytes().all(plain)
        };
        let dotted = |text: &str| text.split('.').all(atom);
        let good = match text.split_once('@') {
            Some((user, domain)) => dotted(user) && dotted(domain),
            None => dotted(text),
        };
        if good && text.len() <= 254 && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError(format!("{text:?} is not an address of a mail such as root@example.org")))
        }
    }
}

/// An `http` or `https` address with its path and query. It may hold a secret, so nobody shows it: [`WebhookUrl::host`]
/// is for people.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host in it, with its port.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WebhookUrl({})", self.host())
    }
}

impl FromStr for WebhookUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = |problem: String| ValueError(format!("it is not a URL: {problem}"));
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let rest = rest.ok_or_else(|| bad("it begins with http:// or https://".to_owned()))?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        values::authority_of(authority).map_err(bad)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte);
        match path.bytes().find(|byte| !allowed(*byte)) {
            None => Ok(Self(text.to_owned())),
            Some(byte) => Err(bad(format!("{:?} has no place there", char::from(byte)))),
        }
    }
}
