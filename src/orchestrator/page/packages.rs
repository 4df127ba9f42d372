//! The list of packages: a part of it, filtered and in an order that whoever asks has chosen.

use serde::{Deserialize, Serialize};

use super::answer::Trouble;
use crate::core::overview::{PackageOverview, Place};

/// So many rows are given unless somebody says otherwise.
const USUAL: usize = 100;
/// More rows than this are never given at once.
const MOST: usize = 500;

/// What a list may be ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The order in which they would be merged.
    #[default]
    Merge,
    /// By name.
    Label,
    /// By where they are, what an operator would look at first.
    Place,
    /// By how often they were tried in vain.
    Attempts,
    /// By how many of their needs are missing.
    WaitsFor,
    /// By how many need them.
    NeededBy,
    /// By how long they are taken to last.
    Expected,
}

/// Which way an order goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The least first.
    #[default]
    Up,
    /// The most first.
    Down,
}

/// `?place=&filter=&sort=&way=&offset=&limit=`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Only those in this place; all where it is left out or empty.
    place: Option<Spot>,
    /// Only those with this in their name, capitals or not.
    filter: String,
    /// The order.
    sort: Order,
    /// Which way it goes.
    way: Way,
    /// So many of them are passed over.
    offset: usize,
    /// So many are given at most.
    limit: Option<usize>,
}

/// A place as a query names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Spot {
    #[serde(rename = "")]
    Any,
    Failed,
    Delegated,
    Needed,
    Blocked,
    Received,
    /// What is on the longest path.
    Critical,
}

impl Spot {
    fn has(self, package: &PackageOverview) -> bool {
        match self {
            Self::Any => true,
            Self::Critical => package.critical,
            Self::Failed => package.place == Place::Failed,
            Self::Delegated => package.place == Place::Delegated,
            Self::Needed => package.place == Place::Needed,
            Self::Blocked => package.place == Place::Blocked,
            Self::Received => package.place == Place::Received,
        }
    }
}

/// A part of a list.
#[derive(Debug, PartialEq, Serialize)]
pub struct Part<'a> {
    /// How many packages fit in all.
    pub total: usize,
    /// How many of them come before these.
    pub offset: usize,
    /// These.
    pub packages: Vec<&'a PackageOverview>,
}

impl Wanted {
    /// The wanted part of all packages.
    ///
    /// # Errors
    /// More is wanted than is ever given at once.
    pub fn of<'a>(&self, all: &'a [PackageOverview]) -> Result<Part<'a>, Trouble> {
        let limit = self.limit.unwrap_or(USUAL);
        if limit > MOST {
            return Err(Trouble::senseless(format!("at most {MOST} packages are given at once")));
        }
        let filter = self.filter.to_lowercase();
        let fits = |package: &&PackageOverview| {
            self.place.is_none_or(|spot| spot.has(package)) && package.label.to_lowercase().contains(&filter)
        };
        let mut found: Vec<_> = all.iter().filter(fits).collect();
        found.sort_by(|left, right| {
            let ordering = match self.sort {
                Order::Merge => left.package.cmp(&right.package),
                Order::Label => left.label.cmp(&right.label),
                Order::Place => left.place.cmp(&right.place),
                Order::Attempts => left.attempts.cmp(&right.attempts),
                Order::WaitsFor => left.waits_for.cmp(&right.waits_for),
                Order::NeededBy => left.needed_by.cmp(&right.needed_by),
                Order::Expected => left.expected_s.cmp(&right.expected_s),
            };
            // What is alike stays in merge order.
            if self.way == Way::Down { ordering.reverse() } else { ordering }
        });
        let packages = found.iter().skip(self.offset).take(limit).copied().collect();
        Ok(Part { total: found.len(), offset: self.offset, packages })
    }
}
