//! Which orchestrator clients get, and which one is asked about builds: from what checks have seen, and nothing else.
//!
//! - A **good check** of a binhost finds an index that reads, is not empty, and is not from before the newest one that
//!   any listed orchestrator was ever seen with. So one that comes back with an old release stays down. `rise` and
//!   `fall` checks in a row move it ([`Level`]).
//! - **Active** is of those that are up, and not behind at this moment, the one with the lowest priority number (by name
//!   where two share it). An active one that falls behind stays until its checks have taken it down: while a release goes
//!   round, nothing moves. With `failback = "manual"` it stays for as long as it is up.
//! - **Object storage** that clients can read is one of them, without an API.
//! - Nothing is chosen before each was looked at once: the first look could be at an old release.
//! - **Controller**: see [`super::role`].
//!
//! What is known goes with the process. An index that nobody has any more counts as the newest until its orchestrator
//! is taken out of the inventory, or the gateway is started anew.

use crate::core::names::{HostName, ReleaseName, Timestamp};
use crate::core::role::Health;
use crate::core::status::Moment;
use crate::inventory::{ControllerPlace, Failback, HttpUrl, Inventory};

use super::level::{Counts, Level};

/// An orchestrator, or an object storage that clients can read: one more binhost, without an API. As the inventory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orchestrator {
    /// Its name.
    pub name: HostName,
    /// Where the host is; of a storage the bucket.
    pub address: String,
    /// The lowest is first.
    pub priority: u32,
    /// What clients get.
    pub binhost: HttpUrl,
    /// Its API; none where there are only files.
    pub api: Option<HttpUrl>,
}

impl Orchestrator {
    /// Whether any of its addresses wants TLS.
    pub fn speaks_tls(&self) -> bool {
        [Some(&self.binhost), self.api.as_ref()].into_iter().flatten().any(|url| url.as_str().starts_with("https:"))
    }
}

/// What a look at one of them found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The TIMESTAMP of its index; or why it has none that reads, as the end of a sentence about it.
    pub index: Result<Timestamp, String>,
    /// What its API says, or why it does not; none where it has none.
    pub api: Option<Result<Health, String>>,
}

/// One of them, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the inventory says.
    pub orchestrator: Orchestrator,
    /// Its binhost.
    pub binhost: Level,
    /// Its API.
    pub api: Level,
    /// The TIMESTAMP of its index when that last read.
    pub timestamp: Option<Timestamp>,
    /// What its API said last.
    pub answer: Health,
    /// When it was looked at last.
    pub last_check: Option<Timestamp>,
    /// What was wrong then.
    pub error: Option<String>,
}

/// What a look has changed, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A binhost has come up, or gone down with this reason.
    Binhost(HostName, Result<(), String>),
    /// Clients get another one, or none.
    Active(Option<HostName>),
    /// Another one is asked about builds, or none.
    Controller(Option<HostName>),
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// By priority, then by name.
    members: Vec<Member>,
    counts: Counts,
    failback: Failback,
    /// Whether builds are the orchestrators' own.
    leads_builds: bool,
    /// Who was made the controller from here.
    promoted: Option<HostName>,
    /// How often in a row the controller was looked at and did not lead.
    unled: u32,
    active: Option<HostName>,
    controller: Option<HostName>,
}

impl Member {
    fn new(orchestrator: Orchestrator) -> Self {
        Self {
            orchestrator,
            binhost: Level::Unknown,
            api: Level::Unknown,
            timestamp: None,
            answer: Health::default(),
            last_check: None,
            error: None,
        }
    }

    fn name(&self) -> &HostName {
        &self.orchestrator.name
    }
}

impl Fleet {
    /// That of an inventory, of which nothing is known yet.
    pub fn new(inventory: &Inventory) -> Self {
        let member = |(host, settings): (&crate::inventory::Host, &crate::inventory::OrchestratorSettings)| {
            Member::new(Orchestrator {
                name: host.name.clone(),
                address: host.addresses.first().to_string(),
                priority: settings.priority,
                binhost: settings.binhost.clone(),
                api: settings.api.clone(),
            })
        };
        let storage = |storage: &crate::inventory::Storage| {
            let settings = &storage.settings;
            Some(Member::new(Orchestrator {
                name: storage.name.clone(),
                address: settings.url.to_string(),
                priority: settings.priority,
                binhost: settings.binhost.clone()?,
                api: None,
            }))
        };
        let mut members: Vec<Member> = inventory.orchestrators().into_iter().map(member).collect();
        members.extend(inventory.storages().iter().filter_map(storage));
        members.sort_by_key(|member| (member.orchestrator.priority, member.name().clone()));
        let swarm = &inventory.swarm;
        Self {
            members,
            counts: Counts { rise: swarm.rise.get(), fall: swarm.fall.get() },
            failback: swarm.failback,
            leads_builds: swarm.controller == ControllerPlace::Orchestrator,
            promoted: None,
            unled: 0,
            active: None,
            controller: None,
        }
    }

    /// Takes over what another fleet knows of those that are in both and are where they were.
    pub fn succeed(&mut self, before: Self) {
        let place = |orchestrator: &Orchestrator| {
            (orchestrator.name.clone(), orchestrator.binhost.clone(), orchestrator.api.clone())
        };
        for known in before.members {
            let same = self.members.iter_mut().find(|member| place(&member.orchestrator) == place(&known.orchestrator));
            if let Some(member) = same {
                *member = Member { orchestrator: member.orchestrator.clone(), ..known };
            }
        }
        let stays = |name: &HostName| self.members.iter().any(|member| member.name() == name);
        self.active = before.active.filter(stays);
        self.controller = before.controller.filter(stays);
        self.promoted = before.promoted.filter(stays);
    }

    /// Takes in a look at one of them; one that is not of the fleet any more changes nothing.
    pub fn saw(&mut self, name: &HostName, look: Look, at: Timestamp) -> Vec<Change> {
        let (counts, mut changes) = (self.counts, Vec::new());
        if let (Ok(timestamp), Some(member)) = (&look.index, self.member_mut(name)) {
            member.timestamp = Some(*timestamp);
        }
        let behind = self.member(name).and_then(|member| self.behind(member));
        let Some(member) = self.member_mut(name) else { return changes };
        let index = match (look.index, behind) {
            (Err(error), _) => Err(error),
            (Ok(_), Some(behind)) => Err(behind),
            (Ok(_), None) => Ok(()),
        };
        let was = member.binhost;
        member.binhost = was.after(index.is_ok(), counts);
        if was.is_up() != member.binhost.is_up() || was == Level::Unknown {
            changes.push(Change::Binhost(name.clone(), index.clone()));
        }
        let mut errors: Vec<String> = index.err().into_iter().collect();
        if let Some(api) = look.api {
            member.api = member.api.after(api.is_ok(), counts);
            match api {
                Ok(answer) => member.answer = answer,
                Err(error) => errors.push(format!("its API {error}")),
            }
        }
        member.last_check = Some(at);
        member.error = (!errors.is_empty()).then(|| errors.join("; "));
        let before = self.controller.clone();
        changes.extend(self.choose());
        if self.controller().is_some_and(|current| current.answer.leads && self.promoted() != Some(current.name())) {
            // Somebody else has moved it since.
            self.promoted = None;
        }
        self.unled = match self.controller() {
            Some(current) if current.answer.leads || self.controller != before => 0,
            Some(current) if current.name() == name => self.unled + 1,
            Some(_) => self.unled,
            None => 0,
        };
        changes
    }

    /// Whether the next look at this one is wanted soon.
    pub fn is_in_doubt(&self, name: &HostName) -> bool {
        self.member(name).is_some_and(|member| member.binhost.is_in_doubt() || member.api.is_in_doubt())
    }

    /// Chooses anew; needed after a change of the fleet as well.
    pub fn choose(&mut self) -> Vec<Change> {
        if self.members.iter().any(|member| member.last_check.is_none()) && self.active.is_none() {
            return Vec::new();
        }
        let (active, controller) = (self.next_active(), self.next_controller());
        let mut changes = Vec::new();
        if active != self.active {
            self.active.clone_from(&active);
            changes.push(Change::Active(active));
        }
        if controller != self.controller {
            self.controller.clone_from(&controller);
            changes.push(Change::Controller(controller));
        }
        changes
    }

    fn next_active(&self) -> Option<HostName> {
        let holds = |member: &&Member| Some(member.name()) == self.active.as_ref() && member.binhost.is_up();
        let holder = self.members.iter().find(holds);
        let first = self.candidates().next();
        let chosen = match (holder, self.failback) {
            (Some(holder), Failback::Manual) => Some(holder),
            // They are in order: the earlier of the two.
            (Some(holder), Failback::Auto) => {
                let rank = |member: &Member| (member.orchestrator.priority, member.name().clone());
                Some(first.filter(|first| rank(first) < rank(holder)).unwrap_or(holder))
            }
            (None, _) => first,
        };
        chosen.map(|member| member.name().clone())
    }

    /// Those that could be active now, in order.
    fn candidates(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.binhost.is_up() && self.behind(member).is_none())
    }

    /// Why a member is behind, as the end of a sentence about it.
    fn behind(&self, member: &Member) -> Option<String> {
        let own = member.timestamp?;
        let newest = self.members.iter().max_by_key(|other| other.timestamp)?;
        let timestamp = newest.timestamp.filter(|timestamp| *timestamp > own)?;
        Some(format!(
            "is behind: its index is of {}, that of {} of {}; `swarm finalize` publishes to it, or take {} out of the \
             inventory",
            Moment(own),
            newest.name(),
            Moment(timestamp),
            newest.name()
        ))
    }

    fn member(&self, name: &HostName) -> Option<&Member> {
        self.members.iter().find(|member| member.name() == name)
    }

    fn member_mut(&mut self, name: &HostName) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.name() == name)
    }

    /// Whether one of them is the controller, instead of somebody elsewhere.
    pub fn leads_builds(&self) -> bool {
        self.leads_builds
    }

    /// Whether the controller has been seen not to lead for so long that nobody else can be expected to: a standby may
    /// know the leader's epoch before that is looked at itself.
    pub fn is_without_a_leader(&self) -> bool {
        self.unled >= 2
    }

    /// This one was made the controller from here.
    pub fn has_promoted(&mut self, name: HostName) {
        self.promoted = Some(name);
    }

    /// Who was made the controller from here.
    pub fn promoted(&self) -> Option<&HostName> {
        self.promoted.as_ref()
    }

    /// Whether what moved goes back by itself.
    pub fn failback(&self) -> Failback {
        self.failback
    }

    /// All of them, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether this one is healthy: up, and not behind, unless it is still active.
    pub fn is_healthy(&self, member: &Member) -> bool {
        member.binhost.is_up() && (self.is_active(member) || self.behind(member).is_none())
    }

    /// Whether clients get this one.
    pub fn is_active(&self, member: &Member) -> bool {
        Some(member.name()) == self.active.as_ref()
    }

    /// The release that is live there: what its API says, or that of another one with the same index.
    pub fn release<'a>(&'a self, member: &'a Member) -> Option<&'a ReleaseName> {
        let same = |other: &&Member| other.timestamp == member.timestamp && member.timestamp.is_some();
        let elsewhere = || self.members.iter().filter(same).find_map(|other| other.answer.release.as_ref());
        member.answer.release.as_ref().or_else(elsewhere)
    }

    /// The one that clients get.
    pub fn active(&self) -> Option<&Member> {
        self.member(self.active.as_ref()?)
    }

    /// The one that is asked about builds.
    pub fn controller(&self) -> Option<&Member> {
        self.member(self.controller.as_ref()?)
    }

    /// The active one, then those that could take its place, in order.
    pub fn stand_ins(&self) -> impl Iterator<Item = &Member> {
        self.active().into_iter().chain(self.candidates().filter(|member| !self.is_active(member)))
    }
}

#[cfg(test)]
mod tests;
