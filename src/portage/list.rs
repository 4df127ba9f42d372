//! Lists of packages with exact versions, one a line: what `--list FILE` and `init-from-list` read.
//!
//! A line is `category/name-version`, with or without `=` before it. `#` begins a comment, blank lines are skipped, a
//! package that is named twice counts once. All lines at fault are reported together.

use std::collections::HashSet;
use std::fmt;

use crate::core::package::Cpv;
use crate::core::text::agreeing;

/// The number of lines at fault that a message shows in full.
const SHOWN_LINES: usize = 20;

/// The number of characters of a line that a message quotes.
const QUOTED_CHARACTERS: usize = 120;

/// The number of characters of a reason.
const REASON_CHARACTERS: usize = 300;

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// The line, or its beginning.
    pub text: String,
    /// What is wrong with it, and what it should be.
    pub reason: String,
}

impl BadLine {
    pub(super) fn new(number: usize, text: &str, reason: impl Into<String>) -> Self {
        let reason: String = reason.into();
        // A reason may quote a word of the line, which may be all of it.
        let reason = reason.chars().take(REASON_CHARACTERS).collect();
        Self { number, text: text.chars().take(QUOTED_CHARACTERS).collect(), reason }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {:?}: {}", self.number, self.text, self.reason)
    }
}

/// All lines of a text that could not be read, in their order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLines(pub Vec<BadLine>);

impl fmt::Display for BadLines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, line) in self.0.iter().take(SHOWN_LINES).enumerate() {
            if place > 0 {
                formatter.write_str("\n")?;
            }
            line.fmt(formatter)?;
        }
        match self.0.len().checked_sub(SHOWN_LINES) {
            Some(more) if more > 0 => write!(formatter, "\nand {more} more {}", agreeing(more, "line", "lines")),
            _ => Ok(()),
        }
    }
}

/// Why a list could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Some lines are no packages.
    #[error("{0}")]
    Lines(BadLines),
    /// There is nothing but comments and blank lines.
    #[error("the list names no package; one `category/name-version` a line is expected, `#` begins a comment")]
    Empty,
}

/// Reads a list; the packages are in the order of the text, without duplicates.
///
/// # Errors
/// Every line that is no package, all together; a list without a package.
pub fn parse(text: &str) -> Result<Vec<Cpv>, ListError> {
    let mut packages = Vec::new();
    let mut seen = HashSet::new();
    let mut bad = Vec::new();
    for (place, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let entry = without_comment(line).trim();
        if entry.is_empty() {
            continue;
        }
        match entry.strip_prefix('=').unwrap_or(entry).parse::<Cpv>() {
            Ok(cpv) => {
                if seen.insert(cpv.clone()) {
                    packages.push(cpv);
                }
            }
            Err(_) => bad.push(BadLine::new(place + 1, entry, reason(entry))),
        }
    }
    if !bad.is_empty() {
        Err(ListError::Lines(BadLines(bad)))
    } else if packages.is_empty() {
        Err(ListError::Empty)
    } else {
        Ok(packages)
    }
}

/// The part before a `#` that begins the line or follows a blank.
fn without_comment(line: &str) -> &str {
    let begins = |&(at, _): &(usize, &str)| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

fn reason(entry: &str) -> &'static str {
    let bare = entry.strip_prefix('=').unwrap_or(entry);
    if bare.starts_with(['<', '>', '~', '!', '=']) {
        "a list holds exact versions: write `category/name-version` without an operator"
    } else if bare.contains(char::is_whitespace) {
        "one package a line is expected"
    } else if bare.contains([':', '[']) {
        "a list holds `category/name-version` alone, without slot, repository or USE flags"
    } else if !bare.contains('/') {
        "the category is missing: write `category/name-version`"
    } else if portage_atom::Cpn::parse(bare).is_ok() {
        "the version is missing: write `category/name-version`"
    } else {
        "`category/name-version` is expected"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Vec<String> {
        parse(list).unwrap().iter().map(Cpv::to_string).collect()
    }

    #[test]
    fn packages_come_in_order_without_comments_blank_lines_and_duplicates() {
        let list = "\u{feff}# wanted\n\n  app-misc/beta-2.0-r1  \r\n=dev-libs/alpha-1_rc2 # why\n#app-misc/off-1\n\
                    app-misc/beta-2.0-r1\ndev-libs/libx++-3\n";
        assert_eq!(texts(list), ["app-misc/beta-2.0-r1", "dev-libs/alpha-1_rc2", "dev-libs/libx++-3"]);
    }

    #[test]
    fn every_bad_line_is_named_with_its_number_and_its_cure() {
        let list = "app-misc/good-1\napp-misc/versionless\n>=app-misc/range-1\n\nnocategory-1\n\
                    app-misc/a-1 app-misc/b-1\napp-misc/slotted-1:2\n../../etc-1\n";
        let Err(ListError::Lines(BadLines(lines))) = parse(list) else { panic!("the list was accepted") };
        let found: Vec<_> = lines.iter().map(|line| (line.number, line.reason.as_str())).collect();
        assert_eq!(
            found,
            [
                (2, "the version is missing: write `category/name-version`"),
                (3, "a list holds exact versions: write `category/name-version` without an operator"),
                (5, "the category is missing: write `category/name-version`"),
                (6, "one package a line is expected"),
                (7, "a list holds `category/name-version` alone, without slot, repository or USE flags"),
                (8, "`category/name-version` is expected"),
            ]
        );
    }

    #[test]
    fn a_list_without_packages_says_what_is_expected() {
        for list in ["", "\n\n", "# nothing\n"] {
            let error = parse(list).unwrap_err();
            assert_eq!(error, ListError::Empty, "{list:?}");
            assert!(error.to_string().contains("category/name-version"));
        }
    }

    #[test]
    fn a_message_quotes_no_more_than_it_must_and_nothing_that_confuses_a_terminal() {
        let list = format!("\u{1b}[2Jx{}\n", "y".repeat(5000)).repeat(100);
        let message = parse(&list).unwrap_err().to_string();
        assert!(!message.contains('\u{1b}'));
        assert!(message.len() < 8000, "{}", message.len());
        assert!(message.ends_with("and 80 more lines"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(.|\n){0,300}") {
            let _ = parse(&text);
        }
    }
}
