//! A drone that shares its cores between jobs.
//!
//! A job needs one core for its serial part and then works on up to its width. Where the jobs together demand more than
//! there is, cores are shared in proportion to demand. All jobs of a drone are then slowed by the same factor, so a
//! clock that stands still by that factor (`clock`) meets each change of demand at a moment that is known when the job
//! starts. Changes are kept in the order of that clock: a start costs the jobs on the drone, a step costs one.

/// What a job that should have ended is expected to take more, as a share of what it has taken: who is late by much is
/// likely to be late by more. So a job is put off only as often as the logarithm of its lateness.
const OVERDUE: f64 = 0.25;
/// But at least so many seconds.
const LEAST_OVERDUE: f64 = 1.0;

/// A job, in seconds of the drone that it is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// Its package.
    pub package: u32,
    /// Seconds on one core.
    pub serial: f64,
    /// Processor seconds on up to its width.
    pub cpu: f64,
    /// Its width.
    pub width: u32,
}

impl Job {
    fn width(&self) -> i32 {
        i32::try_from(self.width.max(1)).unwrap_or(i32::MAX)
    }

    /// Its two changes, where it begins at this clock.
    fn changes(&self, begun: f64) -> [Change; 2] {
        let widens = begun + self.serial;
        let ends = widens + self.cpu / f64::from(self.width.max(1));
        let change = |clock, demand, turn| Change { clock, package: self.package, demand, turn };
        [change(widens, self.width() - 1, Turn::GoesOn), change(ends, -self.width(), Turn::Ends { begun })]
    }
}

/// A change of demand to come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    clock: f64,
    package: u32,
    demand: i32,
    turn: Turn,
}

/// What a job does when its demand changes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    /// It goes on.
    GoesOn,
    /// It ends, having begun at this clock.
    Ends { begun: f64 },
}

impl Change {
    fn ends(&self) -> bool {
        matches!(self.turn, Turn::Ends { .. })
    }
}

/// The jobs on one drone and the moments at which their demand changes.
#[derive(Debug, Clone)]
pub struct Load {
    cores: u32,
    clock: f64,
    now: f64,
    demand: u32,
    jobs: u32,
    /// The next one is the last.
    changes: Vec<Change>,
}

impl Load {
    /// A drone with this many cores and no job, at the moment zero.
    pub fn new(cores: u32) -> Self {
        Self { cores: cores.max(1), clock: 0.0, now: 0.0, demand: 0, jobs: 0, changes: Vec::new() }
    }

    /// Its cores.
    pub fn cores(&self) -> u32 {
        self.cores
    }

    /// The cores that its jobs would use now if there were enough.
    pub fn demand(&self) -> u32 {
        self.demand
    }

    /// How many jobs it has.
    pub fn jobs(&self) -> u32 {
        self.jobs
    }

    /// When demand changes next.
    pub fn next(&self) -> f64 {
        self.changes.last().map_or(f64::INFINITY, |change| self.moment(change.clock))
    }

    fn moment(&self, clock: f64) -> f64 {
        self.now + (clock - self.clock).max(0.0) * slowness(self.demand, self.cores)
    }

    /// Lets time go on to `moment`, which must not lie beyond the next change.
    pub fn run_to(&mut self, moment: f64) {
        if moment > self.now {
            self.clock += (moment - self.now) / slowness(self.demand, self.cores);
            self.now = moment;
        }
    }

    /// Starts a job.
    pub fn start(&mut self, job: &Job) {
        self.demand += 1;
        self.jobs += 1;
        job.changes(self.clock).into_iter().for_each(|change| self.insert(change));
    }

    fn insert(&mut self, change: Change) {
        let place = self.changes.partition_point(|other| other.clock > change.clock);
        self.changes.insert(place, change);
    }

    /// Takes the next change. Gives the package whose job ends with it.
    pub fn step(&mut self) -> Option<u32> {
        let change = self.changes.pop()?;
        self.clock = self.clock.max(change.clock);
        self.demand = self.demand.saturating_add_signed(change.demand);
        if change.ends() {
            self.jobs -= 1;
        }
        change.ends().then_some(change.package)
    }

    /// Lets time go on as far as estimates tell. A job that should have ended is taken to go on for a while.
    pub fn expect(&mut self, moment: f64) {
        while self.next() <= moment {
            self.run_to(self.next());
            match self.changes.last().copied() {
                Some(Change { turn: Turn::Ends { begun }, clock, .. }) => self.put_off(begun, clock),
                _ => {
                    self.step();
                }
            }
        }
        self.run_to(moment);
    }

    /// The job that ends next goes on instead.
    fn put_off(&mut self, begun: f64, ends: f64) {
        self.clock = self.clock.max(ends);
        if let Some(change) = self.changes.pop() {
            let more = ((self.clock - begun) * OVERDUE).max(LEAST_OVERDUE);
            self.insert(Change { clock: self.clock + more, ..change });
        }
    }

    /// When each job ends as things are, with the work (its processor seconds) that is left of all.
    pub fn ends(&self, mut each: impl FnMut(u32, f64)) -> f64 {
        let (mut clock, mut moment, mut demand, mut work) = (self.clock, self.now, self.demand, 0.0);
        for change in self.changes.iter().rev() {
            let span = (change.clock - clock).max(0.0);
            moment += span * slowness(demand, self.cores);
            work += span * f64::from(demand);
            clock = clock.max(change.clock);
            demand = demand.saturating_add_signed(change.demand);
            if change.ends() {
                each(change.package, moment);
            }
        }
        work
    }

    /// This load with a chain of jobs that is to follow, one after the other from `moment` on, and that is heard of as
    /// one job, its last: what is expected of the drone, for [`Load::try_job`] alone.
    pub fn with_chain(&self, moment: f64, chain: impl Iterator<Item = Job>) -> Self {
        let mut reserved = self.clone();
        let mut clock = self.clock_at(moment);
        let mut chain = chain.peekable();
        while let Some(job) = chain.next() {
            let begins = Change { clock, package: job.package, demand: 1, turn: Turn::GoesOn };
            let [widens, mut ends] = job.changes(clock);
            if chain.peek().is_some() {
                ends.turn = Turn::GoesOn;
            }
            clock = ends.clock;
            [begins, widens, ends].into_iter().for_each(|change| reserved.insert(change));
        }
        reserved
    }

    fn clock_at(&self, wanted: f64) -> f64 {
        let (mut clock, mut moment, mut demand) = (self.clock, self.now, self.demand);
        for change in self.changes.iter().rev() {
            let slow = slowness(demand, self.cores);
            let span = (change.clock - clock).max(0.0);
            if moment + span * slow >= wanted {
                return clock + (wanted - moment).max(0.0) / slow;
            }
            moment += span * slow;
            clock = clock.max(change.clock);
            demand = demand.saturating_add_signed(change.demand);
        }
        clock + (wanted - moment).max(0.0) / slowness(demand, self.cores)
    }

    /// When a job would end that started now, were nothing else to come. `each` hears of each job how its end would
    /// move: (package, from, to). Cost: the jobs on the drone.
    pub fn try_job(&self, job: &Job, mut each: impl FnMut(u32, f64, f64)) -> f64 {
        let (mut clock, mut before, mut after) = (self.clock, self.now, self.now);
        // The demand of the others, and its own with the moments at which that changes.
        let (mut demand, mut own) = (self.demand, 1u32);
        let mut mine = job.changes(self.clock).into_iter().peekable();
        let mut theirs = self.changes.iter().rev().peekable();
        let mut finish = self.now;
        loop {
            let is_mine = match (mine.peek(), theirs.peek()) {
                (Some(mine), Some(theirs)) => mine.clock <= theirs.clock,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return finish,
            };
            let Some(next) = (if is_mine { mine.next() } else { theirs.next().copied() }) else { return finish };
            let span = (next.clock - clock).max(0.0);
            before += span * slowness(demand, self.cores);
            after += span * slowness(demand.saturating_add(own), self.cores);
            clock = clock.max(next.clock);
            if is_mine {
                own = own.saturating_add_signed(next.demand);
                finish = after;
            } else {
                demand = demand.saturating_add_signed(next.demand);
                if next.ends() {
                    each(next.package, before, after);
                }
            }
        }
    }
}

fn slowness(demand: u32, cores: u32) -> f64 {
    if demand > cores { f64::from(demand) / f64::from(cores) } else { 1.0 }
}
