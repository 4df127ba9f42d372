//! A controller that wants an epoch, or has it: what it sends to the voters in each round, and what follows from the
//! answers.

use std::collections::{BTreeMap, BTreeSet};

use super::majority;
use super::voter::{Answer, Knowledge, Lesson, Mark, Promise, Request, Term};
use crate::core::names::{ControllerName, Epoch, HostName};

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To hear what is known.
    Asks,
    /// To get promises.
    Claims(Epoch),
    /// To have them confirmed, again and again.
    Confirms(Epoch),
}

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next round is to begin at once.
    Goes,
    /// The epoch is held for the lease from the beginning of this round on; confirm it before that is over.
    Holds(Epoch),
    /// Another controller holds one, and its promise lives.
    Held(Promise),
    /// Another controller has a higher one; what was held is over.
    Outranked(Promise),
    /// Another controller has decided since, and this one does not know what.
    Behind(Term),
    /// Too few answered, or too few of them know anything. What is held goes on until its lease is over.
    TooFew {
        /// How many voters answered and know something.
        know: usize,
        /// How many have lost what they knew.
        lost: usize,
        /// How many it takes.
        wanted: usize,
    },
}

/// A controller before the voters.
#[derive(Debug, Clone)]
pub struct Candidate {
    controller: ControllerName,
    voters: BTreeSet<HostName>,
    /// Voters that have known something before; the others are new and need not.
    counted: BTreeSet<HostName>,
    lease: u64,
    take_over: bool,
    /// What was decided up to this epoch it knows.
    known: Epoch,
    /// Whether it goes on without what was decided since.
    unknowing: bool,
    /// The highest epoch that it has heard of.
    highest: Epoch,
    stage: Stage,
    round: u64,
    /// Voters that have lost what they knew, with the round that told so.
    lost: BTreeMap<HostName, (Mark, u64)>,
    /// What a lost voter is taught, and the round in which a majority said so.
    newest: Option<(Knowledge, u64)>,
}

impl Candidate {
    /// A controller that knows what was decided up to the epoch `known`, and that `counted` voters have known something
    /// before.
    pub fn new(
        controller: ControllerName,
        voters: BTreeSet<HostName>,
        counted: BTreeSet<HostName>,
        lease: u64,
        known: Epoch,
    ) -> Self {
        Self {
            controller,
            voters,
            counted,
            lease,
            take_over: false,
            known,
            unknowing: false,
            highest: known,
            stage: Stage::Asks,
            round: 0,
            lost: BTreeMap::new(),
            newest: None,
        }
    }

    /// It had the highest epoch that it knows of, and goes on with that where it still has it.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.stage = Stage::Confirms(self.highest);
        self
    }

    /// It breaks the promises that others hold.
    #[must_use]
    pub fn taking_over(mut self) -> Self {
        self.take_over = true;
        self.succeeding()
    }

    /// It goes on without what another controller has decided since, as nobody can tell it that.
    #[must_use]
    pub fn succeeding(mut self) -> Self {
        self.unknowing = true;
        self
    }

    /// One that is not content with what it has, and claims an epoch above this one.
    #[must_use]
    pub fn above(mut self, epoch: Epoch) -> Self {
        self.highest = self.highest.max(epoch);
        self.stage = Stage::Asks;
        self
    }

    /// Whether a voter has lost what it knew, and has not been taught yet.
    pub fn teaches(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whose it is.
    pub fn controller(&self) -> &ControllerName {
        &self.controller
    }

    /// The voters that have known something, for the next time.
    pub fn counted(&self) -> &BTreeSet<HostName> {
        &self.counted
    }

    /// What this round sends to a voter.
    pub fn request(&self, voter: &HostName) -> Request {
        let holder = self.controller.clone();
        let lesson = self.lesson(voter);
        match self.stage {
            Stage::Asks => Request::Ask,
            Stage::Claims(epoch) => {
                Request::Claim { epoch, holder, lease: self.lease, take_over: self.take_over, lesson }
            }
            Stage::Confirms(epoch) => Request::Confirm { epoch, holder, lease: self.lease, lesson },
        }
    }

    /// What a majority has said after this voter was known to be lost.
    fn lesson(&self, voter: &HostName) -> Option<Lesson> {
        let ((mark, heard), (newest, said)) = (self.lost.get(voter)?, self.newest.as_ref()?);
        (said > heard).then(|| Lesson { mark: *mark, newest: newest.clone() })
    }

    /// Takes in what the voters answered to the requests of this round, and begins the next one.
    pub fn settle(&mut self, answers: &BTreeMap<HostName, Answer>) -> Outcome {
        self.round += 1;
        let mut known: Vec<Knowledge> = Vec::new();
        let mut granted = 0;
        let mut terms: Vec<Term> = Vec::new();
        let mut fresh = false;
        for (voter, answer) in answers.iter().filter(|(voter, _)| self.voters.contains(*voter)) {
            match answer {
                Answer::Lost(mark) => {
                    if self.lost.get(voter).is_none_or(|(known, _)| known != mark) {
                        self.lost.insert(voter.clone(), (*mark, self.round));
                        fresh = true;
                    }
                    continue;
                }
                Answer::Has(knowledge) => known.push(knowledge.clone()),
                Answer::Granted(latest) => {
                    granted += 1;
                    terms.extend(latest.clone());
                }
            }
            self.lost.remove(voter);
            self.counted.insert(voter.clone());
        }
        let newest = newest(&known);
        self.highest = self.highest.max(newest.promise.epoch);
        match self.stage {
            Stage::Asks => self.settle_asked(&known, newest, fresh),
            Stage::Claims(epoch) => self.settle_claimed(epoch, granted, terms.into_iter().max()),
            Stage::Confirms(epoch) => self.settle_confirmed(epoch, granted, newest.promise, known.len() + granted),
        }
    }

    fn settle_asked(&mut self, known: &[Knowledge], newest: Knowledge, fresh: bool) -> Outcome {
        let (know, lost) = (known.len(), self.lost.len());
        let too_few = |wanted| Outcome::TooFew { know, lost, wanted };
        if know + lost < majority(self.voters.len()) {
            return too_few(majority(self.voters.len()));
        }
        let all_new = know == 0 && self.counted.is_empty();
        let wanted = majority(if self.counted.is_empty() { self.voters.len() } else { self.counted.len() });
        if know < wanted && !all_new && !self.take_over {
            return too_few(wanted);
        }
        let bound = known.iter().find(|known| known.promise.binds_against(&self.controller));
        if let Some(bound) = bound.filter(|_| !self.take_over) {
            return Outcome::Held(bound.promise.clone());
        }
        if let Some(term) = newest.latest.as_ref().filter(|term| self.is_news(term)) {
            return Outcome::Behind(term.clone());
        }
        self.newest = Some((newest, self.round));
        if fresh {
            // What a lost voter is taught has to be asked for once its loss is known.
            return Outcome::Goes;
        }
        let epoch = Epoch(self.highest.0.saturating_add(1));
        self.highest = epoch;
        self.stage = Stage::Claims(epoch);
        Outcome::Goes
    }

    /// Whether another controller has decided under it, and what is not known here and would have to be.
    fn is_news(&self, term: &Term) -> bool {
        term.epoch > self.known && term.controller != self.controller && !self.unknowing
    }

    fn settle_claimed(&mut self, epoch: Epoch, granted: usize, latest: Option<Term>) -> Outcome {
        if let Some(term) = latest.filter(|term| self.is_news(term)) {
            // It came and went since all were asked.
            self.stage = Stage::Asks;
            return Outcome::Behind(term);
        }
        let enough = granted >= majority(self.voters.len());
        self.stage = if enough { Stage::Confirms(epoch) } else { Stage::Asks };
        if enough {
            Outcome::Goes
        } else {
            let lost = self.lost.len();
            Outcome::TooFew { know: granted, lost, wanted: majority(self.voters.len()) }
        }
    }

    fn settle_confirmed(&mut self, epoch: Epoch, granted: usize, newest: Promise, answered: usize) -> Outcome {
        if granted >= majority(self.voters.len()) {
            let controller = self.controller.clone();
            let promise = Promise { epoch, holder: Some(controller.clone()), left: self.lease };
            self.newest = Some((Knowledge { promise, latest: Some(Term { epoch, controller }) }, self.round));
            self.known = self.known.max(epoch);
            // Whoever takes over does so once.
            (self.take_over, self.unknowing) = (false, false);
            return Outcome::Holds(epoch);
        }
        if newest.epoch >= epoch {
            self.stage = Stage::Asks;
            return Outcome::Outranked(newest);
        }
        let (wanted, lost) = (majority(self.voters.len()), self.lost.len());
        if lost > 0 || answered >= wanted {
            // Those that have lost their promise have to be taught before they count, and that takes what a majority
            // knows; those that have none from us have to be asked for one.
            self.stage = Stage::Asks;
        }
        Outcome::TooFew { know: granted, lost, wanted }
    }
}

/// The newest promise and the latest term of all that is known.
fn newest(known: &[Knowledge]) -> Knowledge {
    let promises = known.iter().map(|known| &known.promise);
    Knowledge {
        promise: promises.max_by_key(|promise| (promise.epoch, promise.left)).cloned().unwrap_or_else(Promise::none),
        latest: known.iter().filter_map(|known| known.latest.clone()).max(),
    }
}
