//! Packages by name and by identity.
//!
//! A [`Cpv`] is what people see (`app-misc/foo-1.2-r1`); an [`Identity`] is what makes two builds of it the same
//! binary or not. The grammar of names and the order of versions are those of PMS (Package Manager Specification,
//! chapter 3), as the `portage-atom` crate implements them.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::links::Links;
use super::names::NameError;
use super::texts::{Fields, Words};

/// Category, package name and version with revision: `category/name-version`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Cpv {
    text: String,
    /// Where the name begins, behind the slash.
    name_at: usize,
    /// Where the version begins, behind its hyphen.
    version_at: usize,
}

impl Cpv {
    /// The whole text, `category/name-version`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The category.
    pub fn category(&self) -> &str {
        &self.text[..self.name_at - 1]
    }

    /// The package name without version (PN).
    pub fn name(&self) -> &str {
        &self.text[self.name_at..self.version_at - 1]
    }

    /// The version with its revision (PVR).
    pub fn version(&self) -> &str {
        &self.text[self.version_at..]
    }

    /// Name and version with revision (PF).
    pub fn pf(&self) -> &str {
        &self.text[self.name_at..]
    }

    /// Category and name without version (`category/name`).
    pub fn package(&self) -> &str {
        &self.text[..self.version_at - 1]
    }

    /// The same as a name of its own.
    pub fn package_name(&self) -> PackageName {
        PackageName(self.package().to_owned())
    }
}

/// A package of any version: `category/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

impl PackageName {
    /// The whole text, `category/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match portage_atom::Cpn::parse(text) {
            Ok(_) if !text.contains("..") => Ok(Self(text.to_owned())),
            _ => Err(NameError {
                text: text.chars().take(200).collect(),
                kind: "a package",
                rule: "category/name as PMS defines it, without a version",
            }),
        }
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> String {
        name.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for Cpv {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError {
            text: text.chars().take(200).collect(),
            kind: "a package with its version",
            rule: "category/name-version as PMS defines it",
        };
        let parsed = portage_atom::Cpv::parse(text).map_err(|_| bad())?;
        let category = parsed.cpn.category.as_str();
        let name = parsed.cpn.package.as_str();
        let name_at = category.len() + 1;
        let version_at = name_at + name.len() + 1;
        let whole = text.starts_with(category)
            && text.get(name_at..).is_some_and(|rest| rest.starts_with(name))
            && version_at < text.len()
            && !text.contains("..");
        if !whole {
            return Err(bad());
        }
        Ok(Self { text: text.to_owned(), name_at, version_at })
    }
}

impl PartialOrd for Cpv {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cpv {
    /// By name, then by Portage's order of versions; `1` and `1-r0`, which that order holds equal, by text.
    fn cmp(&self, other: &Self) -> Ordering {
        self.package()
            .cmp(other.package())
            .then_with(|| {
                match (portage_atom::Version::parse(self.version()), portage_atom::Version::parse(other.version())) {
                    (Ok(mine), Ok(theirs)) => mine.cmp(&theirs),
                    _ => Ordering::Equal,
                }
            })
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl TryFrom<String> for Cpv {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Cpv> for String {
    fn from(cpv: Cpv) -> String {
        cpv.text
    }
}

impl fmt::Display for Cpv {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

/// Slot and sub-slot; Portage writes `SLOT/SUBSLOT`, and the sub-slot equals the slot where none is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Slot {
    /// The slot; `0` where the ebuild has nothing special.
    pub slot: String,
    /// The sub-slot.
    pub sub_slot: String,
}

impl FromStr for Slot {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (slot, sub_slot) = text.split_once('/').unwrap_or((text, text));
        let good = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['-', '.', '+'])
                && part.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '+' | '_' | '.' | '-'))
        };
        if good(slot) && good(sub_slot) {
            Ok(Self { slot: slot.to_owned(), sub_slot: sub_slot.to_owned() })
        } else {
            Err(NameError {
                text: text.chars().take(200).collect(),
                kind: "a slot",
                rule: "SLOT or SLOT/SUBSLOT as PMS defines it",
            })
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.slot == self.sub_slot {
            formatter.write_str(&self.slot)
        } else {
            write!(formatter, "{}/{}", self.slot, self.sub_slot)
        }
    }
}

/// What makes a binary package what it is: two builds that want the same identity share one package, the same CPV
/// with another identity is another package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Category, name, version.
    pub cpv: Cpv,
    /// Slot and sub-slot.
    pub slot: Slot,
    /// The ebuild repository's name.
    pub repository: String,
    /// The digest (MD5, hexadecimal) of the ebuild as the resolver's metadata cache has it; empty where it has none.
    pub ebuild_digest: String,
    /// The enabled USE flags that the ebuild knows (its effective IUSE), expanded ones included.
    pub use_flags: Words,
    /// The host tuple that it is built for.
    pub chost: String,
    /// Compiler settings as Portage resolves them for this package: CFLAGS, CXXFLAGS, LDFLAGS and the like.
    pub compiler: Fields,
    /// The slots that it links against: `category/name` to the slot and sub-slot of each `:=` dependency.
    #[schemars(with = "BTreeSet<(String, Slot)>")]
    pub linked: Links,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpv_splits_at_its_version() {
        for (text, package, version) in [
            ("app-lab/hello-1.1-r1", "app-lab/hello", "1.1-r1"),
            ("dev-libs/libsigc++-2.12.1", "dev-libs/libsigc++", "2.12.1"),
            ("app-lab/foo-2-bar-1.0_rc1_p20240101-r3", "app-lab/foo-2-bar", "1.0_rc1_p20240101-r3"),
            ("virtual/jdk-17-r1", "virtual/jdk", "17-r1"),
        ] {
            let cpv: Cpv = text.parse().unwrap();
            assert_eq!((cpv.package(), cpv.version(), cpv.to_string().as_str()), (package, version, text));
            assert_eq!(cpv.pf(), text.split_once('/').unwrap().1);
        }
    }

    #[test]
    fn what_is_no_package_with_a_version_is_refused() {
        for text in
            ["", "foo", "app-lab/hello", "=app-lab/hello-1", "../x-1", "a/../b-1", "app-lab/hello-1.0/x", "a/b-1 "]
        {
            assert!(text.parse::<Cpv>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn versions_are_in_portages_order() {
        let mut cpvs: Vec<Cpv> =
            ["a/b-1.10", "a/b-1.9", "a/b-1.9_rc1", "a/b-1.9-r1"].iter().map(|text| text.parse().unwrap()).collect();
        cpvs.sort();
        let texts: Vec<_> = cpvs.iter().map(Cpv::version).collect();
        assert_eq!(texts, ["1.9_rc1", "1.9", "1.9-r1", "1.10"]);
    }
}
