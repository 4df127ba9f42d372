//! Whether there is room on this side for what is to start, and again once there was none.

use super::Run;
use crate::controller::error::ControlError;
use crate::core::decide::Decision;
use crate::core::package::PackageName;
use crate::core::plan::PackageIndex;
use crate::core::state::Standing;

impl Run<'_> {
    /// Looks before anything starts, and as long as there is too little; whether that has changed.
    pub(super) fn look_for_room(&mut self, decision: &Decision) -> Result<bool, ControlError> {
        let was_low = self.session.state().low_disk.is_some();
        if !was_low && decision.starts.is_empty() {
            return Ok(false);
        }
        let expected = self.expected(decision);
        let has_room = self.space.look(self.session, expected)?;
        Ok(has_room == was_low)
    }

    /// What the jobs under way and those that are to start are expected to bring, in bytes.
    fn expected(&self, decision: &Decision) -> u64 {
        let state = self.session.state();
        let Some(build) = state.open_build() else { return 0 };
        let active = state.jobs.values().filter(|job| job.standing == Standing::Active && job.build == build.name);
        let packages = active.map(|job| job.package).chain(decision.starts.iter().map(|start| start.package));
        let name = |package: PackageIndex| build.identity(package).cpv.package_name();
        let names: Vec<PackageName> = packages.map(name).collect();
        self.space.expected(names.iter())
    }
}
