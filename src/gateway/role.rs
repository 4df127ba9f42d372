//! Whose word counts on builds, and who is to have it next: from what the APIs say, and nothing else.
//!
//! - **Controller** is, of the APIs that answer, the one with the highest epoch; of several that know it the one that
//!   has it itself (the others follow its journal), then the one with the lowest priority number.
//! - **Promotion.** Where the builds are the orchestrators' own and none that leads answers, as its API has gone down,
//!   the one whose journal goes furthest is to be made the controller, unless it has not heard of the leader for long or
//!   lacked much then: what would be lost by that is for the operator to say (`swarm failover`). It asks the voters
//!   itself, so a gateway that is mistaken does no harm. From one that was promoted so the role goes back to an
//!   orchestrator with a lower priority number once that has caught up, and only while nothing is being built; not at all
//!   with `failback = "manual"`, and not where the operator has moved it. Where the clients are sent to has no part in
//!   this.

use std::cmp::Reverse;

use super::fleet::{Fleet, Member};
use crate::core::names::{Epoch, HostName};
use crate::inventory::Failback;

impl Fleet {
    /// Who is asked about builds now.
    pub(super) fn next_controller(&self) -> Option<HostName> {
        // Of equal ones the first: they are in order.
        let best = self.answering().min_by_key(|member| Reverse((member.answer.epoch, member.answer.leads)));
        best.map(|member| member.orchestrator.name.clone())
    }

    fn answering(&self) -> impl Iterator<Item = &Member> {
        self.members().iter().filter(|member| member.api.is_up())
    }

    /// Who is to be made the controller now.
    pub fn promotion(&self) -> Option<&Member> {
        let looked_at = |member: &Member| member.last_check.is_some();
        if !self.leads_builds() || !self.members().iter().all(looked_at) {
            return None;
        }
        let current = self.controller()?;
        if !current.answer.leads {
            // Without any epoch nobody has ever built anything: the first order makes a controller.
            let built = current.answer.epoch > Some(Epoch(0));
            let successors = self.answering().filter(|member| member.answer.epoch == current.answer.epoch);
            // Of those that have the most the first: they are in order.
            let best = successors.min_by_key(|member| Reverse(member.answer.last))?;
            return Some(best).filter(|best| built && best.answer.fresh && self.is_without_a_leader());
        }
        let moved_here = self.promoted() == Some(&current.orchestrator.name);
        let goes_back = moved_here && self.failback() == Failback::Auto && !current.answer.builds;
        let earlier = |member: &&Member| member.orchestrator.priority < current.orchestrator.priority;
        self.answering()
            .filter(|_| goes_back)
            .find(|member| earlier(member) && member.answer.caught_up && self.is_healthy(member))
    }
}
