//! What a package was linked against, as far as Portage writes it down.
//!
//! A `:=` dependency of a built package names the slot and sub-slot that was installed when it was built:
//! `dev-lab/libfoo:0/2=` (PMS, section 8.2.6.3).

use crate::core::links::Links;
use crate::core::package::{Cpv, Slot};

use super::Metadata;

const DEPENDENCIES: [&str; 5] = ["BDEPEND", "DEPEND", "IDEPEND", "PDEPEND", "RDEPEND"];

impl Metadata {
    /// The slots of all `:=` dependencies that were installed, with the package (`category/name`) of each.
    pub fn linked(&self) -> Links {
        DEPENDENCIES.iter().flat_map(|key| self.words(key)).filter_map(built_slot).collect()
    }
}

fn built_slot(atom: &str) -> Option<(String, Slot)> {
    let atom = atom.split('[').next()?;
    let (package, slot) = atom.split_once(':')?;
    let slot = slot.split("::").next()?.strip_suffix('=').filter(|slot| slot.contains('/'))?;
    let unprefixed = package.trim_start_matches(['<', '>', '=', '~']);
    let package = if unprefixed.len() == package.len() {
        package.to_owned()
    } else {
        unprefixed.trim_end_matches('*').parse::<Cpv>().ok()?.package().to_owned()
    };
    Some((package, slot.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_from_built_dependencies_only() {
        let metadata: Metadata = [
            ("DEPEND", "a/b:0/2=[x,-y(+)] || ( >=c/d-1.0-r1:3/3.1= e/f:= ) g/h:2/2 i/j:* k/l:2="),
            ("RDEPEND", "a/b:0/2= =m/n-1*:1/1=::repo !o/p:0 q/r"),
            ("BDEPEND", "s/t++:0/9="),
        ]
        .into_iter()
        .collect();
        let linked: Vec<_> = metadata.linked().iter().map(|(package, slot)| format!("{package}:{slot}")).collect();
        assert_eq!(linked, ["a/b:0/2", "c/d:3/3.1", "m/n:1", "s/t++:0/9"]);
    }
}
