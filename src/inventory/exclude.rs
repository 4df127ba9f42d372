//! Packages that the swarm never builds: patterns over `category/name`.

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::values::ValueError;

/// Shell patterns over `category/name`; `*` stays within its side of the slash.
#[derive(Debug, Clone, Default)]
pub struct Exclude {
    patterns: Vec<GlobMatcher>,
}

impl Exclude {
    /// These patterns together.
    pub(super) fn new(patterns: Vec<Glob>) -> Self {
        Self { patterns: patterns.iter().map(Glob::compile_matcher).collect() }
    }

    /// Whether a package (`category/name`) is left to the driver.
    pub fn matches(&self, package: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(package))
    }

    /// The patterns as they were written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.glob().glob())
    }
}

/// One pattern.
pub(super) fn pattern(text: &str) -> Result<Glob, ValueError> {
    let mut sides = text.split('/');
    let two = sides.next().is_some_and(|side| !side.is_empty())
        && sides.next().is_some_and(|side| !side.is_empty())
        && sides.next().is_none();
    if !two || text.starts_with(['=', '<', '>', '~', '!']) {
        return Err(ValueError(format!(
            "{text:?} is not a pattern of packages such as sys-kernel/* or app-misc/foo (no version, no operator)"
        )));
    }
    GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map_err(|error| ValueError(format!("{text:?} is not a pattern: {}", error.kind())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stays_on_its_side_of_the_slash() {
        let exclude = Exclude::new(vec![pattern("sys-kernel/*").unwrap(), pattern("*/linux-firmware").unwrap()]);
        assert!(exclude.matches("sys-kernel/gentoo-sources"));
        assert!(exclude.matches("sys-firmware/linux-firmware"));
        assert!(!exclude.matches("app-misc/foo"));
        assert_eq!(exclude.patterns().collect::<Vec<_>>(), ["sys-kernel/*", "*/linux-firmware"]);
    }

    #[test]
    fn what_is_no_pattern_of_packages_is_refused() {
        for text in ["", "*", "gentoo-sources", "a/b/c", "/b", "a/", "=a/b-1", "a/[b"] {
            assert!(pattern(text).is_err(), "{text:?}");
        }
    }
}
