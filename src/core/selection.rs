//! What a build is asked to bring.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::NameError;
use super::package::Cpv;
use super::text::counted;

/// Something to ask the resolver for, as the operator wrote it: an atom, a package name, or a set (`@world`).
///
/// Portage on the driver says what it means; only what could be taken for an option, or could not be an atom in any
/// way, is refused here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Wanted(String);

impl Wanted {
    /// The text for emerge's command line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Wanted {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let good = text.chars().all(|each| each.is_ascii_graphic() && !matches!(each, '\'' | '"' | '`' | '\\' | ';'));
        if text.is_empty() || text.starts_with('-') || text.len() > 512 || !good {
            return Err(NameError {
                text: text.chars().take(200).collect(),
                kind: "an atom",
                rule: "an atom as emerge takes it, for example app-misc/foo, =app-misc/foo-1.2 or @world",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Wanted {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Wanted> for String {
    fn from(wanted: Wanted) -> String {
        wanted.0
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What a build is asked to bring. Pushing an equal selection goes on with the open build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// `emerge --update --deep --newuse @world` of the driver.
    World,
    /// These atoms and what they need.
    Atoms(BTreeSet<Wanted>),
    /// These packages and what they need.
    Packages(BTreeSet<Cpv>),
    /// These packages and nothing else.
    Exactly(BTreeSet<Cpv>),
}

impl Selection {
    /// Whether pushing `other` means to go on with a build of this selection.
    pub fn is_resumed_by(&self, other: &Selection) -> bool {
        match (self, other) {
            (Self::Packages(mine) | Self::Exactly(mine), Self::Packages(theirs) | Self::Exactly(theirs)) => {
                mine == theirs
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => formatter.write_str("@world"),
            Self::Atoms(atoms) => {
                let texts: Vec<_> = atoms.iter().map(Wanted::as_str).collect();
                formatter.write_str(&texts.join(" "))
            }
            Self::Packages(cpvs) | Self::Exactly(cpvs) if cpvs.len() == 1 => {
                write!(formatter, "{}", cpvs.iter().map(Cpv::as_str).collect::<String>())
            }
            Self::Packages(cpvs) | Self::Exactly(cpvs) => {
                write!(formatter, "a list of {}", counted(cpvs.len(), "package"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_can_neither_be_an_option_nor_hold_a_quote() {
        for text in ["", "--pretend", "a b", "x\n", "'", "foo;rm", "`x`"] {
            assert!(text.parse::<Wanted>().is_err(), "{text:?}");
        }
        for text in ["foo", "app-misc/foo", "=app-misc/foo-1*", "@world", "!!a/b", "a/b:0/2=[ssl,-doc]"] {
            assert!(text.parse::<Wanted>().is_ok(), "{text:?}");
        }
    }
}
