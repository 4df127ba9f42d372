//! Which differences would change a package of a plan without its identity telling.
//!
//! An identity holds version, slot, repository, ebuild, USE, CHOST and compiler settings, as the drone's own Portage
//! resolves them: profile, repositories, keywords, masks and flags need no second look, and another flag that no planned
//! package has is no reason to leave a drone out. What an identity does not hold is what runs besides the ebuild
//! (bashrc, env/, patches/, eclasses), what is in the environment, and what everything is built against.

use std::collections::BTreeSet;

use globset::Glob;

use super::compare::{Difference, Point};
use super::configuration::{Configuration, Tool};
use super::rules::{self, Matter};
use crate::core::package::Identity;
use crate::core::plan::Plan;

/// Variables that ebuilds and what they call take for themselves, and that no job carries.
const ENVIRONMENT: [&str; 17] = [
    "AR",
    "AS",
    "CC",
    "CPP",
    "CXX",
    "EXTRA_ECONF",
    "EXTRA_EMAKE",
    "GOAMD64",
    "GOFLAGS",
    "INSTALL_MASK",
    "LD",
    "LINGUAS",
    "MYCMAKEARGS",
    "PKG_INSTALL_MASK",
    "PORTAGE_COMPRESS",
    "PORTAGE_COMPRESS_FLAGS",
    "PORTAGE_STRIP_FLAGS",
];

/// Those of the differences between a driver and a drone that would change a package of the driver's plan unseen. The
/// eclasses that its packages inherit are named besides.
pub fn concerning<'a>(
    differences: &'a [Difference],
    plan: &Plan,
    inherited: &BTreeSet<String>,
    hosts: (&Configuration, &Configuration),
) -> Vec<&'a Difference> {
    let packages: Vec<&Identity> = plan.packages.iter().map(|package| &package.identity).collect();
    let of_concern = |difference: &&Difference| match &difference.point {
        _ if difference.matter != Matter::Binary || packages.is_empty() => false,
        Point::Eclass(name) => name.split_once('/').is_some_and(|(_, name)| inherited.contains(name)),
        _ => concerns(difference, &packages, hosts),
    };
    differences.iter().filter(of_concern).collect()
}

fn concerns(difference: &Difference, packages: &[&Identity], hosts: (&Configuration, &Configuration)) -> bool {
    match &difference.point {
        Point::Profile | Point::Repository(_) | Point::Eclass(_) | Point::Processor => false,
        Point::Tool(tool) => matches!(tool, Tool::Compiler | Tool::Libc),
        Point::Setting(name) if name == "FEATURES" => {
            let words = [&difference.driver, &difference.drone].into_iter().flatten();
            words.flat_map(|text| text.split_whitespace()).any(rules::changes_content)
        }
        Point::Setting(name) => ENVIRONMENT.contains(&name.as_str()),
        Point::Entry { file, name } => {
            matches!(file.as_str(), "package.env" | "package.bashrc")
                && packages.iter().any(|each| is_meant(name, each))
        }
        Point::File(path) => file_concerns(path, packages, hosts),
    }
}

fn file_concerns(path: &str, packages: &[&Identity], hosts: (&Configuration, &Configuration)) -> bool {
    let Some((directory, rest)) = path.split_once('/') else { return path == "bashrc" };
    match directory {
        "bashrc" => true,
        "profile" => rest == "profile.bashrc",
        "env" => {
            packages.iter().any(|package| lies_below(rest, package))
                || names_in_package_env(rest, hosts).any(|atom| packages.iter().any(|each| is_meant(atom, each)))
        }
        "patches" => packages.iter().any(|package| lies_below(rest, package)),
        "savedconfig" => packages
            .iter()
            .any(|package| package.use_flags.iter().any(|flag| flag == "savedconfig") && lies_below(rest, package)),
        _ => false,
    }
}

/// The atoms to which package.env of one of the hosts gives this file of env/.
fn names_in_package_env<'a>(
    file: &'a str,
    (driver, drone): (&'a Configuration, &'a Configuration),
) -> impl Iterator<Item = &'a str> {
    let entries = [driver, drone].into_iter().filter_map(|host| host.entries.get("package.env")).flatten();
    entries.filter(move |(_, files)| files.split(' ').any(|other| other == file)).map(|(atom, _)| atom.as_str())
}

/// Whether an atom means a package: one of PMS, or a pattern of Portage's with `*` for a category or a name.
fn is_meant(atom: &str, package: &Identity) -> bool {
    let slot = portage_atom::Slot::with_subslot(&package.slot.slot, &package.slot.sub_slot);
    let Ok(cpv) = portage_atom::Cpv::parse(package.cpv.as_str()) else { return false };
    if let Ok(atom) = portage_atom::Dep::parse(atom) {
        return atom.matches_cpv(&cpv, Some(&slot));
    }
    let pattern = atom.split(':').next().unwrap_or_default();
    Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(package.cpv.package_name().as_str()))
}

/// Whether a path begins with one of the directories or files that Portage looks for by a package's name, with or
/// without version and slot: `CATEGORY/{PF,P,PN}[:SLOT]`.
fn lies_below(path: &str, package: &Identity) -> bool {
    let mut parts = path.split('/');
    let (Some(category), Some(name)) = (parts.next(), parts.next()) else { return false };
    let (name, slot) = match name.split_once(':') {
        Some((name, slot)) => (name, Some(slot)),
        None => (name, None),
    };
    let whole = format!("{category}/{name}");
    let cpv = package.cpv.as_str();
    // PF has a revision, P has not.
    let without_revision = cpv.rsplit_once("-r").filter(|(_, revision)| revision.parse::<u32>().is_ok());
    let names = [package.cpv.package(), cpv, without_revision.map_or(cpv, |(before, _)| before)];
    names.contains(&whole.as_str()) && slot.is_none_or(|slot| package.slot.slot == slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(cpv: &str, slot: &str) -> Identity {
        Identity {
            cpv: cpv.parse().unwrap(),
            slot: slot.parse().unwrap(),
            repository: "gentoo".to_owned(),
            ebuild_digest: String::new(),
            use_flags: ["savedconfig"].into_iter().collect(),
            chost: String::new(),
            compiler: Default::default(),
            linked: Default::default(),
        }
    }

    #[test]
    fn a_file_concerns_the_packages_for_which_portage_looks_for_it() {
        let package = package("dev-libs/foo-bar-1.2-r3", "2/5");
        for (path, expected) in [
            ("bashrc", true),
            ("bashrc/first", true),
            ("profile/profile.bashrc", true),
            ("profile/other", false),
            ("patches/dev-libs/foo-bar/one.patch", true),
            ("patches/dev-libs/foo-bar-1.2/one.patch", true),
            ("patches/dev-libs/foo-bar-1.2-r3/one.patch", true),
            ("patches/dev-libs/foo-bar-1.2-r4/one.patch", false),
            ("patches/dev-libs/foo-bar:2/one.patch", true),
            ("patches/dev-libs/foo-bar:3/one.patch", false),
            ("patches/dev-libs/foo/one.patch", false),
            ("patches/app-misc/foo-bar/one.patch", false),
            ("env/dev-libs/foo-bar", true),
            ("env/dev-libs/foo", false),
            ("env/no-lto", false),
            ("savedconfig/dev-libs/foo-bar", true),
            ("savedconfig/dev-libs/other", false),
            ("README", false),
        ] {
            let nothing = Configuration::default();
            assert_eq!(file_concerns(path, &[&package], (&nothing, &nothing)), expected, "{path}");
        }
    }

    #[test]
    fn an_atom_means_what_portage_means_by_it() {
        let package = package("dev-libs/foo-1.2-r3", "2/5");
        for (atom, expected) in [
            ("dev-libs/foo", true),
            ("=dev-libs/foo-1.2-r3", true),
            ("=dev-libs/foo-1*", true),
            ("~dev-libs/foo-1.2", true),
            (">=dev-libs/foo-2", false),
            ("dev-libs/foo:2", true),
            ("dev-libs/foo:3", false),
            ("dev-libs/foo::gentoo", true),
            ("*/*", true),
            ("dev-libs/*", true),
            ("*/foo", true),
            ("*/foobar", false),
            ("app-misc/*", false),
            ("no atom", false),
        ] {
            assert_eq!(is_meant(atom, &package), expected, "{atom}");
        }
    }

    #[test]
    fn a_file_of_env_concerns_the_packages_that_package_env_gives_it_to_on_either_host() {
        let of = |atom: &str| Configuration {
            entries: [("package.env".to_owned(), [(atom.to_owned(), "no-lto other".to_owned())].into())].into(),
            ..Configuration::default()
        };
        let (nothing, package) = (Configuration::default(), package("dev-libs/foo-1", "0"));
        for (driver, drone, expected) in [
            (of("dev-libs/foo"), nothing.clone(), true),
            (nothing.clone(), of("dev-libs/*"), true),
            (of("dev-libs/other"), nothing.clone(), false),
            (nothing.clone(), nothing.clone(), false),
        ] {
            assert_eq!(file_concerns("env/no-lto", &[&package], (&driver, &drone)), expected);
            assert!(!file_concerns("env/lto", &[&package], (&driver, &drone)));
        }
    }
}
