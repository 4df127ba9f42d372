//! Elections on an imagined network: requests and answers that are lost, late and doubled, sites cut apart, controllers
//! that are killed and voters that lose their files. At no time do two controllers hold an epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::core::names::{ControllerName, Epoch, HostName};
use crate::seeded::Seeded;

/// Among so many are some in which a lesson that comes too early, or a claim that nobody confirms, lets two win.
const SCHEDULES: u64 = 6_000;
/// A round that has not all answers by then is settled with those that it has.
const PATIENCE: u64 = 10;
/// How long one schedule goes on, in seconds.
const LASTS: u64 = 4_000;

struct Place {
    name: HostName,
    record: Record,
    /// How far its clock is ahead.
    ahead: u64,
}

struct Seeker {
    candidate: Candidate,
    round: u64,
    begun: u64,
    answers: BTreeMap<HostName, Answer>,
    /// It holds its epoch until then.
    until: u64,
    epoch: Epoch,
    won: usize,
    /// What was decided up to this epoch it knows.
    known: Epoch,
}

enum Event {
    Request { from: usize, round: u64, to: usize, request: Request },
    Answer { to: usize, round: u64, from: usize, answer: Answer },
    Settle { who: usize, round: u64 },
    Begin { who: usize, round: u64 },
    Kill { who: usize },
    Lose { whom: usize },
    Cut,
}

struct Network {
    chance: Seeded,
    now: u64,
    number: u64,
    events: BTreeMap<(u64, u64), Event>,
    places: Vec<Place>,
    seekers: Vec<Seeker>,
    /// Which pairs of controller and voter hear nothing of each other.
    cut: BTreeSet<(usize, usize)>,
    marks: u64,
    /// A voter loses its file once in so many seconds.
    loses: u64,
    /// So many of a hundred requests and answers are late by minutes.
    late: usize,
    /// The longest that the others take, in seconds.
    slow: u64,
    /// A controller is killed once in so many seconds.
    dies: u64,
    lease: u64,
    /// The epochs that came to be held, in their order.
    line: Vec<Epoch>,
}

fn controller(number: usize) -> ControllerName {
    format!("controller{number}").parse().unwrap()
}

fn host(number: usize) -> HostName {
    format!("voter{number}").parse().unwrap()
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut chance = Seeded::new(seed);
        let voters = 1 + chance.below(7);
        let loses = [20, 100, 1_500][chance.below(3)];
        let late = [0, 5, 30][chance.below(3)];
        let slow = [2, 9][chance.below(2)];
        let dies = [60, 2_000][chance.below(2)];
        let lease = [12, 60][chance.below(2)];
        let places = (0..voters).map(|number| Place {
            name: host(number),
            record: Record::Lost(Mark(number as u64)),
            ahead: chance.next() % 1_000_000,
        });
        let places: Vec<Place> = places.collect();
        let seekers = (0..2 + chance.below(2)).map(|number| Seeker {
            candidate: candidate(number, voters, BTreeSet::new(), lease, Epoch(0)),
            round: 0,
            begun: 0,
            answers: BTreeMap::new(),
            until: 0,
            epoch: Epoch(0),
            won: 0,
            known: Epoch(0),
        });
        let seekers: Vec<Seeker> = seekers.collect();
        let mut network = Self {
            chance,
            now: 0,
            number: 0,
            events: BTreeMap::new(),
            places,
            seekers,
            cut: BTreeSet::new(),
            marks: 1_000,
            loses,
            late,
            slow,
            dies,
            lease,
            line: Vec::new(),
        };
        for who in 0..network.seekers.len() {
            let at = network.chance.next() % 100;
            network.later(at, Event::Begin { who, round: 0 });
            network.trouble(Event::Kill { who }, dies);
        }
        for whom in 0..network.places.len() {
            network.trouble(Event::Lose { whom }, loses);
        }
        network.trouble(Event::Cut, 200);
        network
    }

    /// Something comes about, on the average once in so many seconds.
    fn trouble(&mut self, event: Event, mean: u64) {
        let after = 1 + self.chance.next() % (2 * mean);
        self.later(after, event);
    }

    fn later(&mut self, after: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now + after, self.number), event);
    }

    fn play(&mut self, take_over: bool) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > LASTS {
                return;
            }
            self.now = at;
            self.happen(event);
            let holders: Vec<_> = self.seekers.iter().filter(|seeker| seeker.until > self.now).collect();
            assert!(take_over || holders.len() <= 1, "{} hold an epoch at {}", holders.len(), self.now);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin { who, round } if self.seekers[who].round == round => self.begin(who),
            Event::Settle { who, round } if self.seekers[who].round == round => self.settle(who),
            Event::Begin { .. } | Event::Settle { .. } => {}
            Event::Request { from, round, to, request } => {
                let place = &mut self.places[to];
                let answer = place.record.answer(&request, self.now + place.ahead);
                self.carry(from, to, |_| Event::Answer { to: from, round, from: to, answer: answer.clone() });
            }
            Event::Answer { to, round, from, answer } => {
                let name = self.places[from].name.clone();
                let seeker = &mut self.seekers[to];
                if seeker.round == round {
                    seeker.answers.insert(name, answer);
                    if seeker.answers.len() == self.places.len() {
                        self.settle(to);
                    }
                }
            }
            Event::Kill { who } => {
                let seeker = &mut self.seekers[who];
                // Its journal has the highest epoch and who counted; what it held it holds no longer.
                let counted = seeker.candidate.counted().clone();
                let again = candidate(who, self.places.len(), counted, self.lease, seeker.known);
                let resumes = seeker.epoch == seeker.known && self.chance.below(2) == 0;
                seeker.candidate = if resumes { again.resuming() } else { again };
                (seeker.until, seeker.round) = (0, seeker.round + 1);
                let (round, again) = (seeker.round, self.chance.next() % 60);
                self.later(again, Event::Begin { who, round });
                self.trouble(Event::Kill { who }, self.dies);
            }
            Event::Lose { whom } => {
                let lost = self.places.iter().filter(|place| matches!(place.record, Record::Lost(_))).count();
                if lost + majority(self.places.len()) < self.places.len() && !self.line.is_empty() {
                    self.marks += 1;
                    self.places[whom].record = Record::Lost(Mark(self.marks));
                }
                self.trouble(Event::Lose { whom }, self.loses);
            }
            Event::Cut => {
                let share = self.chance.below(4);
                self.cut = (0..self.seekers.len())
                    .flat_map(|seeker| (0..self.places.len()).map(move |place| (seeker, place)))
                    .filter(|_| self.chance.below(4) < share)
                    .collect();
                self.trouble(Event::Cut, 200);
            }
        }
    }

    /// Brings something over the network: late, twice, or not at all.
    fn carry(&mut self, seeker: usize, place: usize, event: impl Fn(&Self) -> Event) {
        let copies = match self.chance.below(20) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            if self.cut.contains(&(seeker, place)) {
                continue;
            }
            let most = match self.chance.below(100) {
                few if few < self.late => 300,
                _ => self.slow,
            };
            let after = self.chance.next() % most;
            let event = event(self);
            self.later(after, event);
        }
    }

    fn begin(&mut self, who: usize) {
        let seeker = &mut self.seekers[who];
        seeker.round += 1;
        (seeker.begun, seeker.answers) = (self.now, BTreeMap::new());
        let round = seeker.round;
        for to in 0..self.places.len() {
            let request = self.seekers[who].candidate.request(&self.places[to].name);
            self.carry(who, to, |_| Event::Request { from: who, round, to, request: request.clone() });
        }
        self.later(PATIENCE, Event::Settle { who, round });
    }

    fn settle(&mut self, who: usize) {
        let seeker = &mut self.seekers[who];
        let outcome = seeker.candidate.settle(&std::mem::take(&mut seeker.answers));
        seeker.round += 1;
        let round = seeker.round;
        let again = match outcome {
            Outcome::Goes => 0,
            Outcome::Holds(epoch) => {
                if seeker.epoch != epoch {
                    let latest = self.line.last().copied().unwrap_or(Epoch(0));
                    assert!(seeker.known >= latest, "{epoch} was had without knowing what was decided under {latest}");
                    assert!(self.line.iter().all(|earlier| *earlier < epoch), "{epoch} after {:?}", self.line);
                    self.line.push(epoch);
                    seeker.won += 1;
                }
                (seeker.epoch, seeker.until) = (epoch, seeker.begun + self.lease);
                seeker.known = seeker.known.max(epoch);
                self.lease / 3
            }
            Outcome::Behind(term) => {
                // Somebody has told it.
                seeker.known = term.epoch;
                let counted = seeker.candidate.counted().clone();
                seeker.candidate = candidate(who, self.places.len(), counted, self.lease, seeker.known);
                1 + self.chance.next() % self.lease
            }
            Outcome::Outranked(_) => {
                seeker.until = 0;
                1 + self.chance.next() % self.lease
            }
            Outcome::Held(_) | Outcome::TooFew { .. } => 1 + self.chance.next() % self.lease,
        };
        self.later(again, Event::Begin { who, round });
    }
}

fn candidate(who: usize, voters: usize, counted: BTreeSet<HostName>, lease: u64, highest: Epoch) -> Candidate {
    Candidate::new(controller(who), (0..voters).map(host).collect(), counted, lease, highest)
}

#[test]
fn no_two_controllers_hold_an_epoch_at_one_time_whatever_is_lost_late_doubled_cut_or_killed() {
    let (mut won, mut changed) = (0, 0);
    for seed in 0..SCHEDULES {
        let mut network = Network::new(seed);
        network.play(false);
        won += network.line.len();
        changed += usize::from(network.seekers.iter().filter(|seeker| seeker.won > 0).count() > 1);
    }
    // A schedule in which nobody ever wins would prove nothing.
    assert!(won > 12_000 && changed > 2_000, "{won} epochs; in {changed} schedules more than one controller had one");
}
