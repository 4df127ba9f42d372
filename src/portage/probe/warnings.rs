//! What the operator should know of a plan that the driver's resolver made, in words.

use std::collections::BTreeSet;

use super::Resolution;
use crate::core::names::HostName;
use crate::core::package::Cpv;
use crate::portage::terminal;

impl Resolution {
    pub(super) fn warnings(&self, driver: &HostName) -> Vec<String> {
        let missing = self.missing.iter().map(|atom| {
            let why = "it does not exist, is masked, or needs something that does not exist";
            format!("{} is wanted by the world file or a set, and nothing satisfies it: {why}", terminal::plain(atom))
        });
        let uninstalls = self
            .uninstalls
            .iter()
            .map(|cpv| format!("installing this on {driver} removes {cpv} there; building it does not touch that"));
        // The one mostly blocks the other as well.
        let pairs: BTreeSet<_> = self
            .conflicts
            .iter()
            .map(|conflict| {
                let (one, other) = &conflict.packages;
                (one.min(other), one.max(other), &conflict.installed)
            })
            .collect();
        let conflicts = pairs.into_iter().map(|(one, other, installed)| {
            let name = |cpv: &Cpv| match installed.contains(cpv) {
                true => format!("{cpv} (installed on {driver})"),
                false => cpv.to_string(),
            };
            let does = if installed.is_empty() { "each is built" } else { "what is planned of them is built" };
            format!("{} and {} block each other: {does}, but they cannot be installed together", name(one), name(other))
        });
        missing.chain(uninstalls).chain(conflicts).collect()
    }
}
