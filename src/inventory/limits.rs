//! `[packages."CATEGORY/NAME"]`: what holds for single packages, named by patterns as in `exclude`.
//!
//! Each key is taken from the narrowest pattern that has it: a name before a pattern, among patterns the one with the
//! most characters of its own, then the first by alphabet. Cost: one match a pattern.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use globset::{Glob, GlobMatcher};

use super::exclude;
use super::values::{self, ValueError};
use crate::document::{Reading, Section};

/// A pattern over `category/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Glob);

impl FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        exclude::pattern(text).map(Self)
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.glob().cmp(other.0.glob())
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Pattern {
    /// What sorts narrow patterns before wide ones.
    fn width(&self) -> (bool, Reverse<usize>) {
        const SPECIAL: [char; 6] = ['*', '?', '[', ']', '{', '}'];
        let own = self.0.glob().chars().filter(|each| !SPECIAL.contains(each)).count();
        (own < self.0.glob().chars().count(), Reverse(own))
    }
}

/// How long a build may take; what is none was not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// So long without a line of output, and it hangs.
    pub silence: Option<Duration>,
    /// So long in all.
    pub total: Option<Duration>,
}

impl Limits {
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let limits = Self {
            silence: section.text("silence", reading, values::duration),
            total: section.text("limit", reading, values::duration),
        };
        section.finish(reading);
        Some(limits)
    }
}

/// The limits of all packages.
#[derive(Debug, Clone, Default)]
pub struct PackageLimits {
    /// The narrowest pattern first.
    rules: Vec<(GlobMatcher, Limits)>,
}

impl PackageLimits {
    pub(super) fn new(rules: BTreeMap<Pattern, Limits>) -> Self {
        let mut rules: Vec<(Pattern, Limits)> = rules.into_iter().collect();
        rules.sort_by_key(|(pattern, _)| pattern.width());
        Self { rules: rules.into_iter().map(|(pattern, limits)| (pattern.0.compile_matcher(), limits)).collect() }
    }

    /// What holds for a package (`category/name`).
    pub fn of(&self, package: &str) -> Limits {
        let matching = || self.rules.iter().filter(|(pattern, _)| pattern.is_match(package)).map(|(_, limits)| limits);
        Limits {
            silence: matching().find_map(|limits| limits.silence),
            total: matching().find_map(|limits| limits.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_that_of_the_narrowest_pattern_that_has_it() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let rules = [
            ("*/*", Limits { silence: minutes(1), total: minutes(100) }),
            ("dev-qt/*", Limits { silence: minutes(2), total: None }),
            ("dev-qt/qt*", Limits { silence: minutes(3), total: minutes(300) }),
            ("dev-qt/qtwebengine", Limits { silence: minutes(4), total: None }),
        ];
        let limits =
            PackageLimits::new(rules.into_iter().map(|(pattern, limits)| (pattern.parse().unwrap(), limits)).collect());
        for (package, silence, total) in [
            ("dev-qt/qtwebengine", 4, 300),
            ("dev-qt/qtbase", 3, 300),
            ("dev-qt/designer", 2, 100),
            ("app-misc/foo", 1, 100),
        ] {
            assert_eq!(limits.of(package), Limits { silence: minutes(silence), total: minutes(total) }, "{package}");
        }
        assert_eq!(PackageLimits::default().of("app-misc/foo"), Limits::default());
    }
}
