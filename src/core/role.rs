//! Which orchestrator leads, and whom the others follow. Pure.
//!
//! Each orchestrator tells where it stands: the epoch that its journal has come to, and whether the controller of that
//! epoch is its own. Of those that can be reached the one with the highest epoch of its own leads; where no controller
//! has ever been at work, or two have the same epoch, the lowest priority number does. Nobody becomes a controller by
//! this: that takes an epoch, and voters. It only says whose journal is copied by whom.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{ControllerName, Epoch, HostName, ReleaseName};

/// Where an orchestrator stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The epoch that its journal has come to; zero where no controller has been at work.
    pub epoch: Epoch,
    /// The controller of that epoch.
    pub controller: Option<ControllerName>,
    /// Whether that controller is its own.
    pub own: bool,
    /// The number of its journal's last event.
    pub last: i64,
    /// What is live there.
    pub release: Option<ReleaseName>,
}

/// What an orchestrator's service says of itself to whoever asks often (`GET /health`); another program's may say less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Health {
    /// Its name in the inventory; none where it is not listed there.
    pub name: Option<HostName>,
    /// The highest epoch that it knows.
    pub epoch: Option<Epoch>,
    /// Whether that is its own: what it says of builds is what counts.
    pub leads: bool,
    /// Whether anything is being built, or waits for it.
    pub builds: bool,
    /// The number of its journal's last event.
    pub last: i64,
    /// Whether it had as good as all there was when it last heard of whom it follows, not long ago.
    pub fresh: bool,
    /// Whether it follows another one and has all that there is.
    pub caught_up: bool,
    /// The release that is live there.
    pub release: Option<ReleaseName>,
}

/// What is asked for with `POST /promote`; nothing where the request has no body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Promotion {
    /// Whether the living lease of another controller is to be broken.
    pub take_over: bool,
}

/// The answer: who was asked is the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    /// Under this epoch.
    pub epoch: Epoch,
}

/// An orchestrator that told where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: HostName,
    /// The lowest leads where nothing else decides.
    pub priority: u32,
    /// Where it stands.
    pub standing: Standing,
}

/// What one of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Its journal is the one that counts.
    Leads,
    /// It copies the journal of another.
    Follows(HostName),
    /// Its journal is a copy, and whose it is cannot be reached.
    Waits,
}

/// The role of `own` among those of the others that can be reached.
pub fn role(own: &Candidate, others: &[Candidate]) -> Role {
    let all = || others.iter().chain([own]);
    // By name where two share a number, as the inventory has it.
    let first = |candidate: &&Candidate| (candidate.priority, candidate.name.clone());
    let rank = |candidate: &&Candidate| (candidate.standing.epoch, Reverse(first(candidate)));
    let leader = all().filter(|candidate| candidate.standing.own).max_by_key(rank);
    // One that has copied the journal of a controller knows that there is a higher epoch than that of whoever else leads.
    let highest = all().map(|candidate| candidate.standing.epoch).max().unwrap_or_default();
    let leader = match leader {
        Some(leader) if leader.standing.epoch == highest => leader,
        _ if highest == Epoch::default() => match all().min_by_key(first) {
            Some(first) => first,
            None => return Role::Waits,
        },
        _ => return Role::Waits,
    };
    if leader.name == own.name { Role::Leads } else { Role::Follows(leader.name.clone()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A candidate from `NAME PRIORITY EPOCH`, with `*` behind the epoch where it is its own.
    fn candidate(text: &str) -> Candidate {
        let [name, priority, epoch] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let own = epoch.ends_with('*');
        let epoch = Epoch(epoch.trim_end_matches('*').parse().unwrap());
        let standing = Standing { epoch, controller: None, own, last: 0, release: None };
        Candidate { name: name.parse().unwrap(), priority: priority.parse().unwrap(), standing }
    }

    fn roles(texts: &[&str]) -> String {
        let all: Vec<Candidate> = texts.iter().map(|text| candidate(text)).collect();
        let role_of = |own: &Candidate| {
            let others: Vec<Candidate> = all.iter().filter(|other| other.name != own.name).cloned().collect();
            match role(own, &others) {
                Role::Leads => format!("{} leads", own.name),
                Role::Follows(leader) => format!("{} follows {leader}", own.name),
                Role::Waits => format!("{} waits", own.name),
            }
        };
        all.iter().map(role_of).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_highest_epoch_of_ones_own_leads_and_without_any_the_lowest_priority() {
        for (texts, expected) in [
            (&["izar 100 0", "tarn 200 0"][..], "izar leads, tarn follows izar"),
            (&["izar 100 0", "tarn 200 1*"], "izar follows tarn, tarn leads"),
            (&["izar 100 1*", "tarn 200 1"], "izar leads, tarn follows izar"),
            // It has taken over; the old one is back.
            (&["izar 100 1*", "tarn 200 2*"], "izar follows tarn, tarn leads"),
            (&["izar 100 2", "tarn 200 2*", "vega 300 1"], "izar follows tarn, tarn leads, vega follows tarn"),
            // Both began by themselves.
            (&["izar 100 1*", "tarn 200 1*"], "izar leads, tarn follows izar"),
            // The leader is out of reach: a copy is nobody's to go on with unasked.
            (&["tarn 200 1"], "tarn waits"),
            (&["tarn 200 1", "vega 300 0"], "tarn waits, vega waits"),
            // A copy of the highest epoch shows that whoever has a lower one of its own does not lead any more.
            (&["izar 100 1*", "vega 300 2"], "izar waits, vega waits"),
            (&["izar 100 0"], "izar leads"),
        ] {
            assert_eq!(roles(texts), expected, "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn those_who_see_each_other_agree_on_who_leads(
            standings in prop::collection::vec((0..4u64, any::<bool>(), 0..3u32), 1..6),
        ) {
            let all: Vec<Candidate> = standings
                .iter()
                .enumerate()
                .map(|(at, (epoch, own, priority))| {
                    candidate(&format!("h{at} {priority} {epoch}{}", if *own && *epoch > 0 { "*" } else { "" }))
                })
                .collect();
            let mut leaders = std::collections::BTreeSet::new();
            for own in &all {
                let others: Vec<Candidate> = all.iter().filter(|other| other.name != own.name).cloned().collect();
                leaders.insert(match role(own, &others) {
                    Role::Leads => Some(own.name.clone()),
                    Role::Follows(leader) => Some(leader),
                    Role::Waits => None,
                });
            }
            prop_assert_eq!(leaders.len(), 1);
        }
    }
}
