//! What a host builds with, as its Portage told it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use super::revision::{Revision, RevisionError};
use crate::core::text::escaped;

/// A host's configuration. All of its texts are safe to show, and lie in one line each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Configuration {
    /// The profile as `REPOSITORY:PATH`, or the path of one that lies in no repository; none where there is none.
    pub profile: Option<String>,
    /// The repositories by name; empty where they were not asked for.
    pub repositories: BTreeMap<String, Revision>,
    /// Where the revisions were not asked for, the digests of eclasses, as `REPOSITORY/NAME`.
    pub eclasses: BTreeMap<String, String>,
    /// What make.globals, the profile and make.conf set, with the values that come of it.
    pub settings: BTreeMap<String, String>,
    /// Those of them that Portage keeps from ebuilds, or sets and uses itself.
    pub own: BTreeSet<String>,
    /// Those of them that are members of USE_EXPAND.
    pub expand: BTreeSet<String>,
    /// Of each file of lines below /etc/portage, or directory of such files: by the first word of a line all that
    /// follows it, in the order in which Portage reads it.
    pub entries: BTreeMap<String, BTreeMap<String, String>>,
    /// Other files below /etc/portage, with the digest of what is no comment in them.
    pub files: BTreeMap<String, String>,
    /// The versions of what builds.
    pub tools: BTreeMap<Tool, Version>,
}

/// The settings with which compilers are called.
const COMPILER: [&str; 7] = ["CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "FFLAGS", "FCFLAGS", "RUSTFLAGS"];

impl Configuration {
    /// Whether a setting leaves the processor to the machine that compiles.
    pub fn is_native(&self) -> bool {
        let values = COMPILER.iter().filter_map(|name| self.settings.get(*name));
        values.flat_map(|value| value.split(' ')).any(|word| word.ends_with("=native"))
    }
}

/// Something that builds, or is built against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Portage itself.
    Portage,
    /// The C compiler that is selected.
    Compiler,
    /// The C library.
    Libc,
    /// The kernel's headers that programs are built against.
    #[serde(rename = "kernel headers")]
    KernelHeaders,
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Portage => "Portage",
            Self::Compiler => "compiler",
            Self::Libc => "libc",
            Self::KernelHeaders => "kernel headers",
        })
    }
}

/// Which one of its kind a tool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Such as `gcc` or `musl`.
    pub kind: String,
    /// Such as `13.2.1`.
    pub number: String,
}

impl Version {
    /// Whether this one is newer than another one of its kind; numbers in them count as numbers.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let numbers = |version: &Self| -> Vec<u64> {
            version.number.split(|each: char| !each.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
        };
        numbers(self) > numbers(other)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.number)
    }
}

#[derive(Deserialize)]
struct Raw {
    profile: Option<String>,
    repositories: BTreeMap<String, String>,
    #[serde(default)]
    eclasses: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    own: BTreeSet<String>,
    expand: BTreeSet<String>,
    lines: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, String>,
    tools: BTreeMap<Tool, (String, String)>,
}

/// A stranger's text as one line that does nothing to a terminal.
fn line(text: &str) -> String {
    escaped(&text.replace(['\n', '\t'], " "))
}

fn map(raw: BTreeMap<String, String>) -> BTreeMap<String, String> {
    raw.into_iter().map(|(key, value)| (line(&key), line(&value))).collect()
}

fn set(raw: BTreeSet<String>) -> BTreeSet<String> {
    raw.iter().map(|text| line(text)).collect()
}

/// Lines that say more of one thing are one entry, as Portage takes them.
fn by_first_word(lines: &[String]) -> BTreeMap<String, String> {
    let mut entries: BTreeMap<String, String> = BTreeMap::new();
    for text in lines {
        let text = line(text);
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let said = entries.entry(name.to_owned()).or_default();
        if !said.is_empty() && !rest.is_empty() {
            said.push(' ');
        }
        said.push_str(rest);
    }
    entries
}

impl TryFrom<Raw> for Configuration {
    type Error = RevisionError;

    fn try_from(raw: Raw) -> Result<Self, RevisionError> {
        let repositories = raw.repositories.into_iter().map(|(name, revision)| Ok((line(&name), revision.parse()?)));
        let repositories: Result<BTreeMap<String, Revision>, RevisionError> = repositories.collect();
        let version = |(kind, number): (String, String)| Version { kind: line(&kind), number: line(&number) };
        Ok(Self {
            profile: raw.profile.as_deref().map(line),
            repositories: repositories?,
            eclasses: map(raw.eclasses),
            settings: map(raw.settings),
            own: set(raw.own),
            expand: set(raw.expand),
            entries: raw.lines.iter().map(|(file, lines)| (line(file), by_first_word(lines))).collect(),
            files: map(raw.files),
            tools: raw.tools.into_iter().map(|(tool, told)| (tool, version(told))).collect(),
        })
    }
}
