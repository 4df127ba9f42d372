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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(package: u32, serial: f64, cpu: f64, width: u32) -> Job {
        Job { package, serial, cpu, width }
    }

    /// Lets a drone work to its end; when each job ended.
    fn ends(mut load: Load) -> Vec<(u32, f64)> {
        let mut ended = Vec::new();
        while load.next().is_finite() {
            let now = load.next();
            load.run_to(now);
            ended.extend(load.step().map(|package| (package, now)));
        }
        ended
    }

    prop_compose! {
        fn jobs()(
            all in prop::collection::vec((0.0..50.0f64, 0.0..500.0f64, 1..9u32, 0.0..20.0f64), 1..12),
        ) -> Vec<(Job, f64)> {
            let job = |(package, (serial, cpu, width, after))| (job(package as u32, serial, cpu, width), after);
            all.into_iter().enumerate().map(job).collect()
        }
    }

    proptest! {
        #[test]
        fn a_job_that_is_thought_of_ends_when_it_would_and_moves_the_others_as_it_would(
            cores in 1..9u32,
            jobs in jobs(),
        ) {
            let mut load = Load::new(cores);
            let (last, before) = jobs.split_last().unwrap();
            let mut now = 0.0;
            for (job, after) in before {
                load.start(job);
                now += after;
                while load.next() <= now {
                    load.run_to(load.next());
                    load.step();
                }
                load.run_to(now);
            }
            let mut thought = Vec::new();
            let end = load.try_job(&last.0, |package, _, to| thought.push((package, to)));
            thought.push((last.0.package, end));
            let mut with = load.clone();
            with.start(&last.0);
            let mut told = Vec::new();
            with.ends(|package, end| told.push((package, end)));
            for (package, end) in ends(with) {
                for other in [&thought, &told] {
                    let found = other.iter().find(|(other, _)| *other == package).unwrap().1;
                    prop_assert!((found - end).abs() < 1e-6 * end.max(1.0), "{package}: {found} and {end}");
                }
            }
        }
    }

    #[test]
    fn two_wide_jobs_share_the_cores_and_a_serial_phase_leaves_them_to_the_other() {
        let mut load = Load::new(4);
        load.start(&job(0, 0.0, 40.0, 4));
        load.start(&job(1, 0.0, 40.0, 4));
        assert_eq!(ends(load), [(0, 20.0), (1, 20.0)]);
        let mut load = Load::new(4);
        load.start(&job(0, 10.0, 0.0, 1));
        load.start(&job(1, 0.0, 30.0, 3));
        assert_eq!(ends(load), [(0, 10.0), (1, 10.0)]);
    }

    #[test]
    fn a_job_that_is_overdue_is_put_off_by_a_share_of_what_it_has_taken_however_late_it_is() {
        let mut load = Load::new(1);
        load.start(&job(0, 100.0, 0.0, 1));
        for (now, expected) in [(100.0, 125.0), (124.0, 125.0), (126.0, 156.25)] {
            load.expect(now);
            assert_eq!((load.next(), load.jobs()), (expected, 1), "{now}");
        }
        load.expect(1e9);
        assert!(load.next() > 1e9 && load.next() < 1.25e9 && load.jobs() == 1);
    }

    #[test]
    fn a_chain_that_is_to_follow_slows_what_is_thought_of_and_is_heard_of_as_its_last_job() {
        let load = Load::new(2);
        let chain = [job(7, 10.0, 20.0, 2), job(8, 10.0, 20.0, 2)];
        let reserved = load.with_chain(5.0, chain.into_iter());
        assert_eq!(reserved.jobs(), 0);
        let mut heard = Vec::new();
        let end = reserved.try_job(&job(1, 0.0, 100.0, 2), |package, from, to| heard.push((package, from, to)));
        let [(8, 45.0, to)] = heard[..] else { panic!("{heard:?}") };
        assert!(to > 45.0 && end > 50.0, "{to} {end}");
    }
}
