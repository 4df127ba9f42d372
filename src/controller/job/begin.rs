//! The steps of a job up to its start: what it needs is fed and merged, its drone's answer compared with the plan, and what
//! the drone lacks besides brought as support packages ([`crate::controller::support`]).

use super::{Stop, Work, failure};
use crate::controller::muster;
use crate::controller::report::Report;
use crate::controller::session::now;
use crate::controller::support::{Source, Turn};
use crate::core::failure::FailureClass;
use crate::core::package::{Cpv, Identity};
use crate::drone::brought::Brought;
use crate::drone::job::{self, Need};
use crate::portage::probe::{Offer, Resolution};

/// So often a drone is asked what it still lacks: what is fed may need more in its turn.
const ROUNDS: u32 = 4;

/// What a job builds beside its own package, since nobody has it, and the right to.
#[derive(Debug, Default)]
pub(super) struct Besides(pub(super) Vec<(Identity, Turn)>);

impl Work {
    /// Feeds, prepares and starts; what the job is to build beside its own package.
    pub(super) async fn begin(&self, needs: &[Need]) -> Result<Besides, Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        self.persist(|| job::equip(host, directory, &self.task)).await?;
        let mut fed = needs.to_vec();
        let mut besides = Besides::default();
        for round in 0..=ROUNDS {
            self.persist(|| job::feed(host, &self.cache, directory, &self.task, &fed, &self.header, now())).await?;
            // What came in the last round the build merges for itself.
            if round == ROUNDS {
                break;
            }
            self.persist(|| job::prepare(host, directory, &fed)).await?;
            let more = self.missing_there(&mut besides).await?;
            if more.is_empty() {
                break;
            }
            // What is lacking comes before what may need it.
            fed.splice(0..0, more);
        }
        let brought = Brought::new(&fed, besides.0.iter().map(|(identity, _)| identity));
        self.persist(|| brought.write(host, directory)).await?;
        self.start().await.map(|()| besides)
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
    async fn missing_there(&self, besides: &mut Besides) -> Result<Vec<Need>, Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let cpv = &self.task.manifest.identity.cpv;
        let resolution = self
            .persist(|| job::resolve(host, directory, cpv))
            .await?
            .map_err(|error| failure(FailureClass::Parity, format!("the drone cannot resolve {cpv}: {error}")))?;
        let mut lacking = self.compare(&resolution)?;
        lacking.retain(|identity| !besides.0.iter().any(|(known, _)| known == identity));
        if lacking.is_empty() {
            return Ok(Vec::new());
        }
        let sources = self.persist(|| self.support.find(&lacking)).await?;
        let mut here = Vec::new();
        for (identity, source) in lacking.into_iter().zip(sources) {
            match source {
                Source::Here(need) => here.push(need),
                Source::Build(turn) => besides.0.push((identity, turn)),
            }
        }
        self.tell(&here, besides).await;
        Ok(here)
    }

    async fn tell(&self, here: &[Need], besides: &Besides) {
        let (drone, cpv) = (self.host.name(), &self.task.manifest.identity.cpv);
        if !here.is_empty() {
            let names: Vec<_> = here.iter().map(|need| need.cpv.as_str()).collect();
            let note = format!("{drone} lacks {} for {cpv}: fed as the driver has it", names.join(" "));
            let _gone = self.reports.send(Report::Note(note)).await;
        }
        if !besides.0.is_empty() {
            let names: Vec<_> = besides.0.iter().map(|(identity, _)| identity.cpv.as_str()).collect();
            let note = format!(
                "{drone} lacks {} for {cpv}, and the driver has it not either: built there, once for all",
                names.join(" ")
            );
            let _gone = self.reports.send(Report::Note(note)).await;
        }
    }

    /// Holds what the drone would do against the plan; what it would build that nobody planned.
    fn compare(&self, resolution: &Resolution) -> Result<Vec<Identity>, Stop> {
        let planned = &self.task.manifest.identity;
        let ebuilds: Vec<&Identity> =
            resolution.merges.iter().filter(|merge| !merge.binary).map(|merge| &merge.identity).collect();
        let Some(own) = ebuilds.iter().find(|identity| identity.cpv.package() == planned.cpv.package()) else {
            return Err(failure(FailureClass::Parity, format!("the drone would not build {} at all", planned.cpv)));
        };
        if let Some(difference) = muster::difference(planned, &Offer::Identity(Box::new((*own).clone()))) {
            return Err(failure(FailureClass::Parity, difference));
        }
        if own.linked != planned.linked {
            let show = |identity: &Identity| {
                let slots: Vec<_> = identity.linked.iter().map(|(name, slot)| format!("{name}:{slot}")).collect();
                slots.join(" ")
            };
            let reason = format!("{} would link against {} there, planned is {}", own.cpv, show(own), show(planned));
            return Err(failure(FailureClass::Parity, reason));
        }
        let mine = |cpv: &Cpv| self.wanted.iter().any(|(_, identity, _)| identity.cpv == *cpv);
        if let Some(other) = ebuilds.iter().find(|other| self.planned.contains_key(&other.cpv) && !mine(&other.cpv)) {
            let reason = format!("the drone would build {} by itself, though the plan has it elsewhere", other.cpv);
            return Err(failure(FailureClass::Parity, reason));
        }
        Ok(ebuilds.into_iter().filter(|other| !mine(&other.cpv)).cloned().collect())
    }
}
