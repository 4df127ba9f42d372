//! A package of a build by a name that people give it.

use super::Build;
use crate::core::names::BuildName;
use crate::core::plan::PackageIndex;

/// A name that does not stand for one package of a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// No package fits.
    #[error("build {build} has no package {wanted:?}; `swarm status` lists them")]
    None {
        /// The name.
        wanted: String,
        /// The build.
        build: BuildName,
    },
    /// More than one fits.
    #[error("{wanted:?} fits several packages: {names}")]
    Several {
        /// The name.
        wanted: String,
        /// What fits.
        names: String,
    },
}

impl Build {
    /// The package that people call by this name: its label, `category/name-version`, `name-version`, `category/name`,
    /// `name`, or a part of a label that fits one only.
    ///
    /// # Errors
    /// When none fits, or several do.
    pub fn find(&self, wanted: &str) -> Result<PackageIndex, NotOne> {
        let all = || (0..self.packages.len()).map(PackageIndex::at);
        let exact = |package: &PackageIndex| {
            let cpv = &self.identity(*package).cpv;
            [self.label(*package), cpv.as_str(), cpv.pf(), cpv.package(), cpv.name()].contains(&wanted)
        };
        let mut found: Vec<_> = all().filter(exact).collect();
        if found.is_empty() {
            found = all().filter(|package| self.label(*package).contains(wanted)).collect();
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(NotOne::None { wanted: wanted.to_owned(), build: self.name.clone() }),
            several => {
                let names: Vec<_> = several.iter().map(|package| self.label(*package)).collect();
                Err(NotOne::Several { wanted: wanted.to_owned(), names: names.join(", ") })
            }
        }
    }
}
