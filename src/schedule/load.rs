//! A drone that shares its cores between jobs.
//!
//! A job needs one core for its serial part and then works on up to its width. Where the jobs together demand more than
//! there is, cores are shared in proportion to demand. All jobs of a drone are then slowed by the same factor, so a
//! clock that stands still by that factor (`clock`) meets each change of demand at a moment that is known when the job
//! starts. Changes are kept in the order of that clock: a start costs the jobs on the drone, a step costs one.

/// A change of demand to come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    clock: f64,
    package: u32,
    demand: i32,
    ends: bool,
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
    pub fn start(&mut self, package: u32, serial: f64, cpu: f64, width: u32) {
        self.demand += 1;
        self.jobs += 1;
        self.plan(self.clock, package, serial, cpu, width);
    }

    fn plan(&mut self, from: f64, package: u32, serial: f64, cpu: f64, width: u32) -> f64 {
        let wide = signed(width);
        let end = from + serial + cpu / f64::from(width.max(1));
        self.insert(Change { clock: from + serial, package, demand: wide - 1, ends: false });
        self.insert(Change { clock: end, package, demand: -wide, ends: true });
        end
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
        if change.ends {
            self.jobs -= 1;
        }
        change.ends.then_some(change.package)
    }

    /// Lets time go on as far as estimates tell. A job that should have ended is taken to go on: `more` gives by how
    /// many seconds of its own, from the package and the width.
    pub fn expect(&mut self, moment: f64, more: impl Fn(u32, u32) -> f64) {
        while self.next() <= moment {
            self.run_to(self.next());
            let Some(change) = self.changes.last().copied() else { break };
            if !change.ends {
                self.step();
                continue;
            }
            self.changes.pop();
            self.clock = self.clock.max(change.clock);
            self.insert(Change {
                clock: self.clock + more(change.package, change.demand.unsigned_abs()).max(1.0),
                ..change
            });
        }
        self.run_to(moment);
    }

    /// Takes a job away, whatever was expected of it.
    pub fn remove(&mut self, package: u32) {
        let before = self.changes.len();
        let mut left = 0;
        self.changes.retain(|change| {
            let own = change.package == package;
            left += if own { change.demand } else { 0 };
            !own
        });
        if self.changes.len() < before {
            self.jobs -= 1;
            self.demand = self.demand.saturating_add_signed(left);
        }
    }

    /// When each job ends as things are, with the work (processor seconds) that is left of all.
    pub fn ends(&self, mut each: impl FnMut(u32, f64)) -> f64 {
        let (mut clock, mut moment, mut demand, mut work) = (self.clock, self.now, self.demand, 0.0);
        for change in self.changes.iter().rev() {
            let span = (change.clock - clock).max(0.0);
            moment += span * slowness(demand, self.cores);
            work += span * f64::from(demand);
            clock = clock.max(change.clock);
            demand = demand.saturating_add_signed(change.demand);
            if change.ends {
                each(change.package, moment);
            }
        }
        work
    }

    /// This load with a chain of jobs that is to follow, one after the other from `moment` on, each as wide as there
    /// are cores: what is expected of the drone, for [`Load::try_job`] alone.
    pub fn with_chain(&self, moment: f64, chain: impl Iterator<Item = (u32, f64, f64)>) -> Self {
        let mut reserved = self.clone();
        let mut clock = self.clock_at(moment);
        for (package, serial, cpu) in chain {
            reserved.insert(Change { clock, package, demand: 1, ends: false });
            clock = reserved.plan(clock, package, serial, cpu, self.cores);
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

    /// When a job would end that started now, were nothing else to come but a demand of at least `floor` all the time.
    /// `each` hears of each job how its end would move: (package, from, to). Cost: the jobs on the drone.
    pub fn try_job(&self, job: &Trial, mut each: impl FnMut(u32, f64, f64)) -> f64 {
        let (mut clock, mut before, mut after) = (self.clock, self.now, self.now);
        let mut demand = self.demand;
        let turns = self.clock + job.serial;
        let own_end = turns + job.cpu / f64::from(job.width.max(1));
        // Its demand, and the moments at which that changes, the next one last.
        let mut own = 1;
        let mut own_changes = vec![(own_end, 0), (turns, job.width)];
        let mut changes = self.changes.iter().rev().peekable();
        let mut finish = self.now;
        loop {
            let mine = own_changes.last().copied();
            let next = match (mine, changes.peek()) {
                (Some((mine, _)), Some(theirs)) => mine.min(theirs.clock),
                (Some((only, _)), None) => only,
                (None, Some(only)) => only.clock,
                (None, None) => return finish,
            };
            let span = (next - clock).max(0.0);
            before += span * slowness(demand.max(job.floor.saturating_sub(own)), self.cores);
            after += span * slowness((demand + own).max(job.floor), self.cores);
            clock = clock.max(next);
            if let Some((_, then)) = mine.filter(|(mine, _)| *mine <= next) {
                own_changes.pop();
                own = then;
                finish = after;
            } else if let Some(change) = changes.next() {
                demand = demand.saturating_add_signed(change.demand);
                if change.ends {
                    each(change.package, before, after);
                }
            }
        }
    }
}

/// A job that is only thought of.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Seconds on one core.
    pub serial: f64,
    /// Processor seconds on up to its width.
    pub cpu: f64,
    /// Its width.
    pub width: u32,
    /// At least this demand is expected on the drone all the time, its own counted.
    pub floor: u32,
}

fn slowness(demand: u32, cores: u32) -> f64 {
    if demand > cores { f64::from(demand) / f64::from(cores) } else { 1.0 }
}

fn signed(width: u32) -> i32 {
    i32::try_from(width.max(1)).unwrap_or(i32::MAX)
}
