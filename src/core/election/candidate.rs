//! A controller that wants an epoch, or has it: what it sends to the voters in each round, and what follows from the
//! answers.

use std::collections::{BTreeMap, BTreeSet};

use super::majority;
use super::voter::{Answer, Lesson, Mark, Promise, Request};
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
    /// The highest epoch that it knows of.
    highest: Epoch,
    stage: Stage,
    round: u64,
    /// Voters that have lost what they knew, with the round that told so.
    lost: BTreeMap<HostName, (Mark, u64)>,
    /// What a lost voter is taught, and the round in which a majority said so.
    newest: Option<(Promise, u64)>,
}

impl Candidate {
    /// A controller that knows of epochs up to `highest`, and that `counted` voters have known something before.
    pub fn new(
        controller: ControllerName,
        voters: BTreeSet<HostName>,
        counted: BTreeSet<HostName>,
        lease: u64,
        highest: Epoch,
    ) -> Self {
        Self {
            controller,
            voters,
            counted,
            lease,
            take_over: false,
            highest,
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
        let mut known: Vec<Promise> = Vec::new();
        let mut granted = 0;
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
                Answer::Has(promise) => known.push(promise.clone()),
                Answer::Granted => granted += 1,
            }
            self.lost.remove(voter);
            self.counted.insert(voter.clone());
        }
        let newest = known.iter().max_by_key(|promise| (promise.epoch, promise.left)).cloned();
        if let Some(newest) = &newest {
            self.highest = self.highest.max(newest.epoch);
        }
        match self.stage {
            Stage::Asks => self.settle_asked(&known, newest, fresh),
            Stage::Claims(epoch) => self.settle_claimed(epoch, granted),
            Stage::Confirms(epoch) => self.settle_confirmed(epoch, granted, newest, known.len() + granted),
        }
    }

    fn settle_asked(&mut self, known: &[Promise], newest: Option<Promise>, fresh: bool) -> Outcome {
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
        if let Some(bound) = known.iter().find(|promise| promise.binds_against(&self.controller))
            && !self.take_over
        {
            return Outcome::Held(bound.clone());
        }
        self.newest = Some((newest.unwrap_or_else(Promise::none), self.round));
        if fresh {
            // What a lost voter is taught has to be asked for once its loss is known.
            return Outcome::Goes;
        }
        let epoch = Epoch(self.highest.0.saturating_add(1));
        self.highest = epoch;
        self.stage = Stage::Claims(epoch);
        Outcome::Goes
    }

    fn settle_claimed(&mut self, epoch: Epoch, granted: usize) -> Outcome {
        let enough = granted >= majority(self.voters.len());
        self.stage = if enough { Stage::Confirms(epoch) } else { Stage::Asks };
        if enough {
            Outcome::Goes
        } else {
            let lost = self.lost.len();
            Outcome::TooFew { know: granted, lost, wanted: majority(self.voters.len()) }
        }
    }

    fn settle_confirmed(
        &mut self,
        epoch: Epoch,
        granted: usize,
        newest: Option<Promise>,
        answered: usize,
    ) -> Outcome {
        if granted >= majority(self.voters.len()) {
            let holder = Some(self.controller.clone());
            self.newest = Some((Promise { epoch, holder, left: self.lease }, self.round));
            // Whoever takes over does so once.
            self.take_over = false;
            return Outcome::Holds(epoch);
        }
        if let Some(newest) = newest.filter(|newest| newest.epoch >= epoch) {
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
