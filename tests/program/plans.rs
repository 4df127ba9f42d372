//! What is planned where nothing but its name matters.

use swarm::core::package::Identity;
use swarm::core::plan::PlannedPackage;

/// A package of this name and version, in the plainest form.
pub fn planned(cpv: &str, requested: bool) -> PlannedPackage {
    let identity = Identity {
        cpv: cpv.parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".to_owned(),
        ebuild_digest: String::new(),
        use_flags: std::iter::empty::<&str>().collect(),
        chost: "x86_64-pc-linux-gnu".to_owned(),
        compiler: std::iter::empty::<(&str, &str)>().collect(),
        linked: Default::default(),
    };
    PlannedPackage { identity, requested, oddities: [].into() }
}
