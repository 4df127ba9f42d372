//! Words for people. Text from elsewhere is made safe to show: what a host, a package or a log says must not command a
//! terminal. Numbers, durations and lists of names are said in one way throughout.

use std::borrow::Cow;
use std::fmt::Display;

/// More of a stranger's words than this many characters is too much for a message of ours.
const WORDS_LIMIT: usize = 600;

/// A text with every character escaped that could do something to a terminal; line ends stay.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '\n' => safe.push('\n'),
            '\t' => safe.push(' '),
            character if character.is_control() || acts_unseen(character) => safe.extend(character.escape_default()),
            character => safe.push(character),
        }
        safe
    })
}

/// Characters without a shape that change how others are shown or in which direction they are read (Unicode, UAX 9
/// and the format characters of general punctuation).
fn acts_unseen(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A stranger's words for a message of ours: escaped, ends trimmed, length bounded.
pub fn printable(text: &str) -> String {
    let mut characters = text.trim().chars();
    let kept: String = characters.by_ref().take(WORDS_LIMIT).collect();
    let cut = if characters.next().is_some() { "…" } else { "" };
    escaped(&kept) + cut
}

/// The first few of these names, and how many there are besides.
pub fn some(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// So many of something: `1 package`, `3 packages`. The noun is one that takes an s, or es behind a hissing sound.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let ending = match count == N::from(1) {
        true => "",
        false if noun.ends_with(['s', 'x']) || noun.ends_with("ch") => "es",
        false => "s",
    };
    format!("{count} {noun}{ending}")
}

/// The form of a verb that goes with so many: `waits` or `wait`.
pub fn agreeing<'a, N: PartialEq + From<u8>>(count: N, one: &'a str, more: &'a str) -> &'a str {
    if count == N::from(1) { one } else { more }
}

/// A package's name as a word for a shell, in a command that somebody is to run: the flags in some names have brackets
/// around them, which a shell takes for a pattern.
pub fn shell_word(label: &str) -> Cow<'_, str> {
    if label.contains(['[', ']']) { format!("'{label}'").into() } else { label.into() }
}

/// How many bytes there are before a character that is not all there yet.
pub fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// How long something takes, in words: `5 s`, `12 min 5 s`, `2 h 5 min`, `3 d 4 h`. What no longer matters is left out.
/// Where it is looked at again and again, [`rough_duration`] moves less.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (large, small) = match (days, hours, minutes) {
        (0, 0, 0) => ((rest, "s"), (0, "")),
        (0, 0, _) => ((minutes, "min"), (rest, "s")),
        (0, _, _) => ((hours, "h"), (minutes, "min")),
        _ => ((days, "d"), (hours, "h")),
    };
    let words = [large, small].into_iter().enumerate().filter(|(place, (count, _))| *place == 0 || *count > 0);
    words.map(|(_, (count, unit))| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// The same in whole minutes from one minute on, and with both its units from one hour on, be the smaller one nothing:
/// `5 s`, `12 min`, `2 h 0 min`, `3 d 4 h`. So it changes once a minute and keeps its width while it is on a screen.
pub fn rough_duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, _) => format!("{minutes} min"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_something_is_said_otherwise_than_several() {
        for (count, noun, words) in [
            (0_usize, "package", "0 packages"),
            (1, "package", "1 package"),
            (2, "package", "2 packages"),
            (1, "process", "1 process"),
            (2, "process", "2 processes"),
            (3, "box", "3 boxes"),
        ] {
            assert_eq!(counted(count, noun), words);
        }
        assert_eq!([0, 1, 2].map(|count: u64| agreeing(count, "waits", "wait")), ["wait", "waits", "wait"]);
    }

    #[test]
    fn a_name_with_flags_is_quoted_for_a_shell_and_a_plain_one_stays_as_it_is() {
        assert_eq!(shell_word("app-misc/foo-1.0"), "app-misc/foo-1.0");
        assert_eq!(shell_word("app-misc/foo-1.0[nls,ssl]"), "'app-misc/foo-1.0[nls,ssl]'");
    }

    #[test]
    fn a_character_is_whole_once_all_of_it_is_there() {
        for (bytes, whole) in
            [(&b"abc"[..], 3), (&b""[..], 0), ("aä".as_bytes(), 3), (&b"a\xc3"[..], 1), (&b"a\xff\xc3"[..], 3)]
        {
            assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
        }
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (7559, "2 h 5 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
            (31_536_000, "365 d"),
        ] {
            assert_eq!(duration(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn a_rough_duration_changes_once_a_minute_and_keeps_both_its_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (7200, "2 h 0 min"),
            (7500, "2 h 5 min"),
            (86_400, "1 d 0 h"),
            (300_000, "3 d 11 h"),
        ] {
            assert_eq!(rough_duration(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn nothing_that_a_host_says_reaches_the_terminal_as_a_command() {
        for (text, shown) in [
            ("plain text, ümläute", "plain text, ümläute"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("over\rwritten", "over\\rwritten"),
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("two\nlines\tand a tab", "two\nlines and a tab"),
        ] {
            assert_eq!(escaped(text), shown, "{text:?}");
        }
    }

    #[test]
    fn words_are_bounded_and_trimmed() {
        assert_eq!(printable(" \u{1b}[2Jno\tspace\n"), "\\u{1b}[2Jno space");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), WORDS_LIMIT + 1);
    }

    #[test]
    fn what_is_safe_already_stays_as_it_is() {
        let once = escaped("\u{1b}[2J\u{202e}\\ ü");
        assert_eq!(escaped(&once), once);
    }
}
