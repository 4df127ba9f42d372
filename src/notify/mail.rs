//! A mail as RFC 5322 has it, given to `sendmail -t -i`, which every mail system has.
//!
//! A subject beyond ASCII is written as RFC 2047 says, a text beyond it, or with lines that are too long, in base64
//! (RFC 2045). It is marked as automatic (RFC 3834), so that nobody's holiday answers it.

use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;

use super::{Message, Post, SendError, program};
use crate::core::names::Timestamp;
use crate::inventory::notify::MailAddress;
use crate::ssh::chance;

/// The longest line of a text that goes as it stands, in octets: RFC 5322 asks for it, without the line's end.
const LINE: usize = 998;
/// The octets of a subject in one encoded word: 45 make 60 characters, which with its marks are below 75.
const WORD: usize = 45;
/// The octets of a text in one line of base64: 57 make the 76 characters that RFC 2045 allows.
const CHUNK: usize = 57;

pub(super) async fn send(
    to: &[MailAddress],
    from: Option<&MailAddress>,
    sendmail: &Path,
    post: &Post,
    message: &Message,
    at: Timestamp,
) -> Result<(), SendError> {
    let mail = mail(to, from, post, message, at, &unique());
    let mut command = Command::new(sendmail);
    command.args(["-t", "-i"]).current_dir("/");
    program::run(command, sendmail, mail.as_bytes()).await
}

/// A number that no other mail has.
fn unique() -> String {
    format!("{:016x}", chance::number())
}

/// The whole mail. Its lines end as a text of this system does; `sendmail` makes of them what the wire wants.
fn mail(
    to: &[MailAddress],
    from: Option<&MailAddress>,
    post: &Post,
    message: &Message,
    at: Timestamp,
    unique: &str,
) -> String {
    let host = domain(&post.host);
    let from = from.map_or_else(|| format!("swarm@{host}"), |from| from.as_str().to_owned());
    let to: Vec<&str> = to.iter().map(MailAddress::as_str).collect();
    let (encoding, text) = body(&message.text);
    format!(
        "From: {from}\nTo: {}\nSubject: {}\nDate: {}\nMessage-ID: <{}.{unique}@{host}>\n\
         Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: {encoding}\n\n{text}",
        to.join(",\n "),
        subject(&message.subject),
        date(at),
        at.0,
    )
}

/// A host's name as a mail may have it.
fn domain(host: &str) -> String {
    let plain = |each: &char| each.is_ascii_alphanumeric() || matches!(each, '-' | '.');
    let domain: String = host.chars().filter(plain).collect();
    let domain = domain.trim_matches(['.', '-']).to_owned();
    if domain.is_empty() { "localhost".to_owned() } else { domain }
}

fn date(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    moment.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The subject, folded and encoded as far as it has to be. Its characters are safe already.
fn subject(text: &str) -> String {
    // A blank at which it would be folded is all that a long line of ASCII needs; encoded words do without.
    if text.is_ascii() && text.len() <= 70 && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for character in text.chars() {
        let full = words.last().is_none_or(|word| word.len() + character.len_utf8() > WORD);
        if full {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
    }
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes())));
    encoded.collect::<Vec<_>>().join("\n ")
}

/// The text and how it is encoded.
fn body(text: &str) -> (&'static str, String) {
    if text.is_ascii() && text.lines().all(|line| line.len() <= LINE) {
        return ("7bit", text.to_owned());
    }
    let encoded = text.as_bytes().chunks(CHUNK).map(|chunk| BASE64.encode(chunk) + "\n");
    ("base64", encoded.collect())
}
