//! The steps of a job up to its start: what it needs is fed and merged, its drone's answer compared with the plan, and what
//! the drone lacks besides brought as support packages ([`crate::controller::support`]).

use std::collections::BTreeSet;

use super::{Stop, Work, failure};
use crate::controller::muster;
use crate::controller::report::Report;
use crate::controller::session::now;
use crate::controller::support::{Source, Turn};
use crate::core::build::Installed;
use crate::core::failure::FailureClass;
use crate::core::package::{Cpv, Identity, PackageName, Slot};
use crate::drone::brought::Brought;
use crate::drone::job::{self, Claim, Need};
use crate::portage::blockers::Blocker;
use crate::portage::probe::{Offer, Resolution};

/// So often a drone is asked what it still lacks: what is fed may need more in its turn.
const ROUNDS: u32 = 12;

/// What a job builds beside its own package, since nobody has it, and the right to.
#[derive(Debug, Default)]
pub(super) struct Besides(pub(super) Vec<(Identity, Turn)>);

/// What is done to a drone's packages before the build.
#[derive(Debug, Default)]
struct Preparation {
    /// These are merged, in this order.
    fed: Vec<Need>,
    /// Before that these are taken away.
    in_the_way: BTreeSet<Cpv>,
    besides: Besides,
}

impl Work {
    /// The packages of which it has to be known what is installed on the drone.
    pub(super) fn asked_for(&self) -> BTreeSet<PackageName> {
        let blocked = self.needs.iter().flat_map(|need| Blocker::of(&need.stanza));
        let stand_ins = self.stand_ins.iter().map(|wanted| wanted.package.clone());
        blocked.filter_map(|blocker| blocker.package()).chain(stand_ins).collect()
    }

    /// Feeds, prepares and starts; what the job is to build beside its own package.
    pub(super) async fn begin(&self, claim: &Claim) -> Result<Besides, Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        self.persist(|| job::equip(host, directory, &self.task)).await?;
        let mut preparation = self.first_preparation(claim).await?;
        let mut rounds = 0..ROUNDS;
        let complete = loop {
            let Preparation { fed, in_the_way, .. } = &preparation;
            self.persist(|| job::feed(host, &self.cache, directory, &self.task, fed, &self.header, now())).await?;
            self.persist(|| job::prepare(host, directory, fed, in_the_way)).await?;
            if rounds.next().is_none() {
                break false;
            }
            if !self.find_more(&mut preparation).await? {
                break true;
            }
        };
        if !complete {
            let (drone, cpv) = (self.host.name(), &self.task.manifest.identity.cpv);
            let note = format!("{drone} still lacks something for {cpv} after {ROUNDS} rounds: it is built there");
            let _gone = self.reports.send(Report::Note(note)).await;
        }
        if !complete || !preparation.besides.0.is_empty() {
            self.persist(|| job::build_beside(host, directory)).await?;
        }
        let Preparation { fed, besides, .. } = &preparation;
        let brought = Brought::new(fed, besides.0.iter().map(|(identity, _)| identity));
        self.persist(|| brought.write(host, directory)).await?;
        self.start().await.map(|()| preparation.besides)
    }

    /// What is known to be needed before the drone's resolver is asked.
    async fn first_preparation(&self, claim: &Claim) -> Result<Preparation, Stop> {
        let fed: Vec<Need> = self.needs.iter().filter(|need| !claim.merged.contains(&need.cpv)).cloned().collect();
        let mut preparation = Preparation { fed, ..Preparation::default() };
        let is_there = |wanted: &&Installed| claim.installed.iter().any(|(cpv, slot)| is(wanted, cpv, slot));
        let absent: Vec<Installed> = self.stand_ins.iter().filter(|wanted| !is_there(wanted)).cloned().collect();
        let mut stand_ins = self.persist(|| self.support.installed(&absent)).await?;
        // The driver may have another one by now.
        stand_ins.retain(|need| {
            need.stanza.slot().is_some_and(|slot| absent.iter().any(|wanted| is(wanted, &need.cpv, &slot)))
        });
        self.tell_fed(&stand_ins).await;
        preparation.fed.splice(0..0, stand_ins);
        self.make_way(claim, &mut preparation).await?;
        Ok(preparation)
    }

    /// What is installed there and may not be beside what is fed gets the driver's version, or goes.
    async fn make_way(&self, claim: &Claim, preparation: &mut Preparation) -> Result<(), Stop> {
        let blockers: Vec<Blocker> = preparation.fed.iter().flat_map(|need| Blocker::of(&need.stanza)).collect();
        self.are_friends(&blockers)?;
        let is_replaced = |cpv: &Cpv, slot: &Slot| preparation.fed.iter().any(|need| is_at(need, cpv, slot));
        let mut blocked = Vec::new();
        for (cpv, slot) in claim.installed.iter().filter(|(cpv, slot)| !is_replaced(cpv, slot)) {
            let Some(blocker) = blockers.iter().find(|blocker| blocker.blocks(cpv, slot)) else { continue };
            self.may_take_away(cpv, &format!("{blocker}, which {} needs,", self.task.manifest.identity.cpv))?;
            blocked.push((cpv, slot));
        }
        let place = |(cpv, slot): &(&Cpv, &Slot)| Installed {
            package: cpv.package_name(),
            slot: slot.slot.clone(),
            sub_slot: None,
        };
        let places: Vec<Installed> = blocked.iter().map(place).collect();
        let mut others = self.persist(|| self.support.installed(&places)).await?;
        others.retain(|other| {
            let slot = other.stanza.slot();
            slot.is_some_and(|slot| !blockers.iter().any(|blocker| blocker.blocks(&other.cpv, &slot)))
        });
        self.tell_fed(&others).await;
        let gone = blocked.into_iter().filter(|(cpv, slot)| !others.iter().any(|other| is_at(other, cpv, slot)));
        preparation.in_the_way = gone.map(|(cpv, _)| cpv.clone()).collect();
        preparation.fed.splice(0..0, others);
        Ok(())
    }

    /// What it needs is planned to be there together, unless Portage's word on that was passed over.
    fn are_friends(&self, blockers: &[Blocker]) -> Result<(), Stop> {
        for need in &self.needs {
            let Some(slot) = need.stanza.slot() else { continue };
            if let Some(blocker) = blockers.iter().find(|blocker| blocker.blocks(&need.cpv, &slot)) {
                let cpv = &self.task.manifest.identity.cpv;
                let reason = format!("{cpv} needs both to build: {blocker}, and {}, which that blocks", need.cpv);
                return Err(failure(FailureClass::Config, reason));
            }
        }
        Ok(())
    }

    /// In a room anything may go; what jobs share with the drone itself is not theirs.
    fn may_take_away(&self, installed: &Cpv, blocker: &str) -> Result<(), Stop> {
        if self.task.room {
            return Ok(());
        }
        let drone = self.host.name();
        Err(failure(
            FailureClass::Config,
            format!(
                "{blocker} may not be merged beside {installed}, which {drone} has installed: in a clean room it would go, \
                 but jobs share {drone}'s own root; `swarm exec --on {drone} -- emerge --unmerge ={installed}` removes it there"
            ),
        ))
    }

    /// The same of a job that an earlier controller started: the turns that it had are taken again.
    pub(super) async fn besides(&self) -> Result<Besides, Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let brought = self.persist(|| Brought::read(host, directory)).await?;
        let mut besides = Besides::default();
        for identity in brought.besides {
            let turn = self.support.take_up(&identity).await;
            besides.0.push((identity, turn));
        }
        Ok(besides)
    }

    /// Asks the drone's resolver what it lacks, and gets that as support packages; what nobody has is built beside.
    /// Whether there was anything that has to be prepared.
    async fn find_more(&self, preparation: &mut Preparation) -> Result<bool, Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let cpv = &self.task.manifest.identity.cpv;
        let merged: Vec<Cpv> = preparation.fed.iter().map(|need| need.cpv.clone()).collect();
        // Of its own package another version is taken as a binary package just as little.
        let others: Vec<Cpv> = merged.iter().filter(|other| other.package() != cpv.package()).cloned().collect();
        let resolution = self
            .persist(|| job::resolve(host, directory, cpv, &others))
            .await?
            .map_err(|error| failure(FailureClass::Parity, format!("the drone cannot resolve {cpv}: {error}")))?;
        let mut lacking = self.compare(&resolution)?;
        let blocked =
            resolution.conflicts.iter().flat_map(|conflict| &conflict.installed).chain(&resolution.uninstalls);
        let mut more = false;
        for installed in blocked {
            self.may_take_away(installed, cpv.as_str())?;
            more |= preparation.in_the_way.insert(installed.clone());
        }
        lacking.retain(|identity| {
            !merged.contains(&identity.cpv) && !preparation.besides.0.iter().any(|(known, _)| known == identity)
        });
        let held: Vec<&Identity> = preparation.besides.0.iter().map(|(identity, _)| identity).collect();
        let sources = self.persist(|| self.support.find(&lacking, &merged, &held)).await?;
        let mut here = Vec::new();
        let mut beside = Vec::new();
        for (identity, source) in lacking.into_iter().zip(sources) {
            match source {
                Source::Here(need) => here.push(need),
                Source::Build(turn) => beside.push((identity, turn)),
                Source::Excluded => {
                    let reason = format!(
                        "{cpv} needs {} to build, which `exclude` in the inventory forbids to build and the driver has not \
                         installed: build it there first",
                        identity.cpv
                    );
                    return Err(failure(FailureClass::Config, reason));
                }
            }
        }
        self.tell_fed(&here).await;
        self.tell_beside(&beside).await;
        more |= !here.is_empty();
        // What is lacking comes before what may need it.
        preparation.fed.splice(0..0, here);
        preparation.besides.0.extend(beside);
        Ok(more)
    }

    async fn tell_fed(&self, here: &[Need]) {
        self.tell_lack(here.iter().map(|need| &need.cpv), ": fed as the driver has it").await;
    }

    async fn tell_beside(&self, beside: &[(Identity, Turn)]) {
        let lacking = beside.iter().map(|(identity, _)| &identity.cpv);
        self.tell_lack(lacking, ", and the driver has it not either: built there, once for all").await;
    }

    /// Says what the drone lacks and where it comes from, where it lacks anything.
    async fn tell_lack(&self, lacking: impl Iterator<Item = &Cpv>, source: &str) {
        let names: Vec<&str> = lacking.map(Cpv::as_str).collect();
        if names.is_empty() {
            return;
        }
        let (drone, cpv) = (self.host.name(), &self.task.manifest.identity.cpv);
        let note = format!("{drone} lacks {} for {cpv}{source}", names.join(" "));
        let _gone = self.reports.send(Report::Note(note)).await;
    }

    /// Holds what the drone would do against the plan; what it would build that nobody planned.
    fn compare(&self, resolution: &Resolution) -> Result<Vec<Identity>, Stop> {
        let planned = &self.task.manifest.identity;
        let ebuilds: Vec<&Identity> =
            resolution.merges.iter().filter(|merge| !merge.binary).map(|merge| &merge.identity).collect();
        let same = |identity: &&&Identity| identity.cpv == planned.cpv;
        let alike = |identity: &&&Identity| identity.cpv.package() == planned.cpv.package();
        let Some(own) = ebuilds.iter().find(same).or_else(|| ebuilds.iter().find(alike)) else {
            return Err(failure(FailureClass::Parity, format!("the drone would not build {} at all", planned.cpv)));
        };
        if let Some(difference) = muster::difference(planned, &Offer::Identity(Box::new((*own).clone()))) {
            return Err(failure(FailureClass::Parity, difference));
        }
        // What it needs only to run is not looked at there; where it is linked against that, the built package tells.
        let stands_in = |name: &str, slot: &Slot| {
            self.stand_ins.iter().any(|wanted| wanted.package.as_str() == name && wanted.slot == slot.slot)
        };
        let foreign = own.linked.difference(&planned.linked).find(|(name, slot)| !stands_in(name, slot));
        if let Some((name, slot)) = foreign {
            let slots: Vec<_> = planned.linked.iter().map(|(name, slot)| format!("{name}:{slot}")).collect();
            let reason = format!("{} would link against {name}:{slot} there, planned is {}", own.cpv, slots.join(" "));
            return Err(failure(FailureClass::Parity, reason));
        }
        let others = || ebuilds.iter().filter(|other| other.cpv != planned.cpv);
        if let Some(other) = others().find(|other| self.planned.contains_key(&other.cpv)) {
            let reason = format!("the drone would build {} by itself, though the plan has it elsewhere", other.cpv);
            return Err(failure(FailureClass::Parity, reason));
        }
        Ok(others().map(|other| (*other).clone()).collect())
    }
}

/// Whether an installed package is one of those wanted.
fn is(wanted: &Installed, cpv: &Cpv, slot: &Slot) -> bool {
    let sub_slot = wanted.sub_slot.as_ref().is_none_or(|sub_slot| *sub_slot == slot.sub_slot);
    wanted.package.as_str() == cpv.package() && wanted.slot == slot.slot && sub_slot
}

/// Whether merging one package replaces another.
fn is_at(need: &Need, cpv: &Cpv, slot: &Slot) -> bool {
    need.cpv.package() == cpv.package() && need.stanza.slot().is_some_and(|own| own.slot == slot.slot)
}
