//! How trouble is put into words: constructors, and the cleaning of text that a host has sent.

use crate::core::names::HostName;
use crate::ssh::host::{HostError, HostErrorKind};

impl HostError {
    /// Trouble of this kind with this host.
    pub fn new(host: &HostName, kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { host: host.clone(), kind, message: message.into() }
    }
}

/// A host's words are cut to this many characters in our messages.
const WORDS_LIMIT: usize = 600;

/// Text from a host, safe on a terminal: control characters (but line ends) replaced, ends trimmed, length bounded.
pub fn printable(text: &str) -> String {
    let cleaned: String = text
        .trim()
        .chars()
        .take(WORDS_LIMIT)
        .map(|character| if character.is_control() && character != '\n' { '\u{fffd}' } else { character })
        .collect();
    if text.trim().chars().count() > WORDS_LIMIT { format!("{cleaned}…") } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_cannot_move_the_cursor() {
        assert_eq!(printable("\x1b[2Jno\tspace\n"), "\u{fffd}[2Jno\u{fffd}space");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), WORDS_LIMIT + 1);
    }
}
