//! A package of a build by a name that people give it.

use super::Build;
use crate::core::names::BuildName;
use crate::core::nearest::nearest;
use crate::core::plan::PackageIndex;

/// A name that does not stand for one package of a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// No package fits.
    #[error("build {build} has no package {wanted:?}; {}", help(nearest.as_deref()))]
    None {
        /// The name.
        wanted: String,
        /// The build.
        build: BuildName,
        /// What is most like it.
        nearest: Option<String>,
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

fn help(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| "`swarm status` lists them".to_owned(), |nearest| format!("did you mean `{nearest}`?"))
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
            [] => Err(NotOne::None {
                wanted: wanted.to_owned(),
                build: self.name.clone(),
                nearest: self.nearest(wanted).map(str::to_owned),
            }),
            several => {
                let names: Vec<_> = several.iter().map(|package| self.label(*package)).collect();
                Err(NotOne::Several { wanted: wanted.to_owned(), names: names.join(", ") })
            }
        }
    }

    /// The name of a package that is most like this one; where a category is given, with its category.
    fn nearest(&self, wanted: &str) -> Option<&str> {
        let named = |package| {
            let cpv = &self.identity(package).cpv;
            if wanted.contains('/') { [cpv.package(), cpv.as_str()] } else { [cpv.name(), cpv.pf()] }
        };
        nearest(wanted, (0..self.packages.len()).map(PackageIndex::at).flat_map(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::simulation::{opened, plan};

    #[test]
    fn a_package_is_found_by_any_of_its_names_and_a_slip_gets_the_nearest() {
        let mut plan = plan(3, &[]);
        for (package, cpv) in plan.packages.iter_mut().zip([
            "www-client/firefox-128.0",
            "dev-lang/rust-1.95.0",
            "dev-libs/rust-tools-1.2",
        ]) {
            package.identity.cpv = cpv.parse().unwrap();
        }
        let state = opened(plan, &[(8, 1)]);
        let build = state.open_build().unwrap();
        for (wanted, found) in [
            ("firefox", Ok(0)),
            ("www-client/firefox", Ok(0)),
            ("rust-1.95.0", Ok(1)),
            ("fire", Ok(0)),
            ("fierfox", Err("has no package \"fierfox\"; did you mean `firefox`?")),
            ("www-cleint/firefox", Err("did you mean `www-client/firefox`?")),
            ("rust-1.59.0", Err("did you mean `rust-1.95.0`?")),
            ("gimp", Err("`swarm status` lists them")),
            ("dev-", Err("fits several packages: dev-lang/rust-1.95.0, dev-libs/rust-tools-1.2")),
        ] {
            let is = build.find(wanted).map(PackageIndex::index).map_err(|error| error.to_string());
            match found {
                Ok(index) => assert_eq!(is, Ok(index), "{wanted}"),
                Err(words) => assert!(is.as_ref().is_err_and(|error| error.contains(words)), "{wanted}: {is:?}"),
            }
        }
    }
}
