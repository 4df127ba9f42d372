//! Where a package lies below a binhost's root (`PATH` in the package index).
//!
//! Portage with `binpkg-multi-instance`, its default, writes `CAT/PN/PF-BUILDID.gpkg.tar`; the swarm makes no others. A
//! production directory that is adopted may hold older forms too (`CAT/PF.gpkg.tar`, `.xpak`, `.tbz2`).

use std::fmt;
use std::str::FromStr;

use crate::core::names::{BuildId, NameError};
use crate::core::package::Cpv;

/// The suffix of the only package format that the swarm makes.
const SUFFIX: &str = ".gpkg.tar";

/// How deep below the root a package may lie, and how long a name may be (the usual limit of file systems).
const DEPTH_LIMIT: usize = 8;
const NAME_LIMIT: usize = 255;

/// A relative path of plain names: it cannot leave the directory that it is joined to, name a hidden file or look
/// like an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackagePath(String);

impl PackagePath {
    /// The path of this build of a package: `CAT/PN/PF-BUILDID.gpkg.tar`.
    pub fn new(cpv: &Cpv, build_id: BuildId) -> Self {
        Self(format!("{}/{}-{build_id}{SUFFIX}", cpv.package(), cpv.pf()))
    }

    /// As text, with `/` between the names.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names, outermost first; never empty.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Package and build id, where the path is one that [`PackagePath::new`] makes.
    pub fn build(&self) -> Option<(Cpv, BuildId)> {
        let mut names = self.names();
        let (category, package, file) = (names.next()?, names.next()?, names.next()?);
        let (pf, id) = file.strip_suffix(SUFFIX)?.rsplit_once('-')?;
        let cpv: Cpv = format!("{category}/{pf}").parse().ok()?;
        let build_id = BuildId(id.parse().ok()?);
        // Comparing the whole rules out `+7`, `007`, another package's directory and a fourth name.
        (cpv.name() == package && build_id.0 > 0 && Self::new(&cpv, build_id) == *self).then_some((cpv, build_id))
    }
}

impl FromStr for PackagePath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |name: &str| {
            name.len() <= NAME_LIMIT
                && name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
                && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '+' | '_' | '.' | '-'))
        };
        if text.split('/').count() <= DEPTH_LIMIT && text.split('/').all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError {
                text: text.chars().take(200).collect(),
                kind: "a package's path",
                rule: "names of letters, digits, '+', '_', '.', '-' with '/' between them, such as \
                       category/name/name-version-1.gpkg.tar",
            })
        }
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_and_its_path_are_two_forms_of_one_thing() {
        for (cpv, build_id, path) in [
            ("app-misc/foo-1.0", 1, "app-misc/foo/foo-1.0-1.gpkg.tar"),
            ("dev-libs/libx++-2.1_rc1-r3", 42, "dev-libs/libx++/libx++-2.1_rc1-r3-42.gpkg.tar"),
            ("virtual/jdk-17", 3, "virtual/jdk/jdk-17-3.gpkg.tar"),
        ] {
            let cpv: Cpv = cpv.parse().unwrap();
            assert_eq!(PackagePath::new(&cpv, BuildId(build_id)).as_str(), path);
            let parsed: PackagePath = path.parse().unwrap();
            assert_eq!(parsed.build(), Some((cpv, BuildId(build_id))));
        }
    }

    #[test]
    fn other_packages_have_a_path_but_no_build() {
        for path in [
            "app-misc/foo-1.0.gpkg.tar",
            "app-misc/foo-1.0.tbz2",
            "app-misc/foo/foo-1.0-1.xpak",
            "app-misc/bar/foo-1.0-1.gpkg.tar",
            "app-misc/foo/foo-1.0-0.gpkg.tar",
            "app-misc/foo/foo-1.0-01.gpkg.tar",
            "app-misc/foo/foo-1.0-+1.gpkg.tar",
            "app-misc/foo/foo-1.0-1.gpkg.tar.part",
            "app-misc/foo/foo-1.0-99999999999.gpkg.tar",
            "x/app-misc/foo/foo-1.0-1.gpkg.tar",
        ] {
            assert_eq!(path.parse::<PackagePath>().unwrap().build(), None, "{path}");
        }
    }

    #[test]
    fn no_path_leaves_its_root_or_hides() {
        let long = format!("a/{}", "x".repeat(300));
        let deep = "a/".repeat(20) + "a";
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/..",
            "a//b",
            "a/",
            "./a",
            ".incoming/x",
            "a/.b",
            "-rf",
            "a/-b",
            "a b",
            "a\nb",
            "a\\b",
            "ä/b",
            "a/\u{1b}[2J",
            "a\0b",
            &long,
            &deep,
        ] {
            assert!(path.parse::<PackagePath>().is_err(), "{path:?}");
        }
    }
}
