//! The comparison itself: pure, one pass over each part of two configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::configuration::{Configuration, Tool};
use super::rules::{self, Matter, Verdict};

/// In what two hosts differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The profile.
    Profile,
    /// The revision of this repository.
    Repository(String),
    /// This eclass, as `REPOSITORY/NAME`.
    Eclass(String),
    /// This variable.
    Setting(String),
    /// What this file of lines says of something.
    Entry {
        /// Below /etc/portage.
        file: String,
        /// The first word of the line: mostly an atom.
        name: String,
    },
    /// This file below /etc/portage.
    File(String),
    /// The version of something that builds.
    Tool(Tool),
    /// The processor, where the driver leaves it to the compiler.
    Processor,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile => write!(formatter, "profile"),
            Self::Repository(name) => write!(formatter, "repository {name}"),
            Self::Eclass(name) => write!(formatter, "eclass {name}"),
            Self::Setting(name) => write!(formatter, "{name}"),
            Self::Entry { file, name } => write!(formatter, "{file} {name}"),
            Self::File(path) => write!(formatter, "{path}"),
            Self::Tool(tool) => write!(formatter, "{tool}"),
            Self::Processor => write!(formatter, "processor"),
        }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What it means to the packages that are built.
    pub matter: Matter,
    /// In what they differ.
    pub point: Point,
    /// What the driver has; of a set of words those that the drone lacks. None where it has nothing.
    pub driver: Option<String>,
    /// What the drone has; of a set of words those that the driver lacks. None where it has nothing.
    pub drone: Option<String>,
    /// Why it matters, or why not.
    pub why: &'static str,
}

impl Difference {
    /// A difference with what is known to be said of it.
    pub fn new(point: Point, (driver, drone): (Option<String>, Option<String>), (matter, why): Verdict) -> Self {
        Self { matter, point, driver, drone, why }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(formatter, "{}: {} there, {} on the driver", self.point, side(&self.drone), side(&self.driver))
    }
}

/// All in what a drone differs from the driver, what matters most first.
pub fn compare(driver: &Configuration, drone: &Configuration) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    if driver.profile != drone.profile {
        let verdict = (Matter::Binary, "what all settings begin with");
        found.push(Difference::new(Point::Profile, (driver.profile.clone(), drone.profile.clone()), verdict));
    }
    found.extend(repositories(driver, drone));
    found.extend(unequal(&driver.eclasses, &drone.eclasses).map(|(name, one, other)| {
        let texts = (one.map(|digest| short(digest)), other.map(|digest| short(digest)));
        Difference::new(Point::Eclass(name.clone()), texts, (Matter::Binary, "what ebuilds inherit"))
    }));
    found.extend(settings(driver, drone));
    found.extend(entries(driver, drone));
    found.extend(unequal(&driver.files, &drone.files).map(|(path, one, other)| {
        let texts = (one.map(|digest| short(digest)), other.map(|digest| short(digest)));
        Difference::new(Point::File(path.clone()), texts, rules::of_file(path))
    }));
    found.extend(unequal(&driver.tools, &drone.tools).map(|(tool, one, other)| {
        let texts = (one.map(ToString::to_string), other.map(ToString::to_string));
        Difference::new(Point::Tool(*tool), texts, rules::of_tool(*tool, one, other))
    }));
    found.sort();
    found
}

/// What is not the same in two maps, with the values of both.
fn unequal<'a, K: Ord, V: PartialEq>(
    driver: &'a BTreeMap<K, V>,
    drone: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let keys: BTreeSet<&K> = driver.keys().chain(drone.keys()).collect();
    keys.into_iter().map(|key| (key, driver.get(key), drone.get(key))).filter(|(_, one, other)| one != other)
}

/// So much of a digest tells one file from another.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn repositories(driver: &Configuration, drone: &Configuration) -> Vec<Difference> {
    let found = unequal(&driver.repositories, &drone.repositories).map(|(name, one, other)| {
        let why = match (one, other) {
            (Some(_), Some(_)) => "other ebuilds and eclasses",
            (None, _) => "its ebuilds would be chosen",
            (_, None) => "its ebuilds are not there",
        };
        let texts = (one.map(super::revision::Revision::short), other.map(super::revision::Revision::short));
        Difference::new(Point::Repository(name.clone()), texts, (Matter::Binary, why))
    });
    found.collect()
}

fn settings(driver: &Configuration, drone: &Configuration) -> Vec<Difference> {
    let is_set = |name: &str| {
        matches!(name, "USE" | "FEATURES" | "ACCEPT_KEYWORDS")
            || driver.expand.contains(name)
            || drone.expand.contains(name)
    };
    let of = |(name, one, other): (&String, Option<&String>, Option<&String>)| {
        let point = Point::Setting(name.clone());
        if !is_set(name) {
            let verdict = rules::of_setting(name, driver, drone);
            return vec![Difference::new(point, (one.cloned(), other.cloned()), verdict)];
        }
        let verdict = |word: &str| match name.as_str() {
            "FEATURES" => rules::of_feature(word),
            _ => rules::of_setting(name, driver, drone),
        };
        words(&point, (one, other), verdict)
    };
    unequal(&driver.settings, &drone.settings).flat_map(of).collect()
}

/// The differences between two sets of words, one for each thing that is to be said of them.
fn words(
    point: &Point,
    (driver, drone): (Option<&String>, Option<&String>),
    verdict: impl Fn(&str) -> Verdict,
) -> Vec<Difference> {
    let split = |text: Option<&String>| -> BTreeSet<String> {
        text.map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
    };
    let (driver, drone) = (split(driver), split(drone));
    let mut sides: BTreeMap<Verdict, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for word in driver.difference(&drone) {
        sides.entry(verdict(word)).or_default().0.push(word);
    }
    for word in drone.difference(&driver) {
        sides.entry(verdict(word)).or_default().1.push(word);
    }
    let text = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(" "));
    sides
        .into_iter()
        .map(|(verdict, (one, other))| Difference::new(point.clone(), (text(one), text(other)), verdict))
        .collect()
}

fn entries(driver: &Configuration, drone: &Configuration) -> Vec<Difference> {
    let nothing = BTreeMap::new();
    let files: BTreeSet<&String> = driver.entries.keys().chain(drone.entries.keys()).collect();
    let mut found = Vec::new();
    for file in files {
        let (one, other) = (driver.entries.get(file), drone.entries.get(file));
        for (name, one, other) in unequal(one.unwrap_or(&nothing), other.unwrap_or(&nothing)) {
            let point = Point::Entry { file: file.clone(), name: name.clone() };
            found.push(Difference::new(
                point,
                (one.map(|entry| said(entry)), other.map(|entry| said(entry))),
                rules::of_entry(file),
            ));
        }
    }
    found
}

/// An entry that is nothing but a name says what it says by being there.
fn said(entry: &str) -> String {
    if entry.is_empty() { "listed".to_owned() } else { entry.to_owned() }
}
