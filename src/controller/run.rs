//! The loop: one place that puts everything that happens in one order, writes it down and decides.
//!
//! Beside it run one task a job ([`super::job`]) and one keeper a drone ([`super::keeper`]). They tell it what they
//! find; it alone writes to the journal, and starts or ends tasks as the state then says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

mod halt;
mod hear;
mod jobs;
mod room;
mod sight;
mod tenure;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::alarms;
use super::attend;
use super::error::ControlError;
use super::keeper::{Keeper, Reins};
use super::publish::{Errand, Whom};
use super::removals::Removals;
use super::report::Report;
use super::session::{Session, now};
use super::socket::Asked;
use super::space::Space;
use super::support::Support;
use super::verb::{self, Answer};
use crate::core::decide::{End, decide, is_at_rest};
use crate::core::event::{Event, Trouble};
use crate::core::names::{BuildId, HostName, JobName, Timestamp};
use crate::core::package::Cpv;
use crate::core::plan::PackageIndex;
use crate::drone::cache::Cache;
use crate::drone::watch::Watch;
use crate::epoch::Visitor;
use crate::inventory::{CleanRoom, Role};
use tenure::Begun;

/// Once the first drone is ready the others have so long to say that another controller holds them.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// A driver that packs what drones lack is waited for so long at the end.
const LONGEST_FETCH: Duration = Duration::from_secs(30);
/// Where another controller was at work before, its jobs are looked for on all drones that answer within this time
/// before anything starts: what one of them builds must not be begun on another.
const LOOK_FOR_JOBS: Duration = Duration::from_secs(60);

/// A clock may be set: with an end in sight it is looked at so often (seconds).
const LOOK_AT_CLOCK: u64 = 60;

/// How the operator, or the system, asks for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// By Ctrl-C: what runs on the drones goes on. A second one ends that, too.
    ByKey,
    /// By a signal from the system: what runs on the drones goes on.
    BySystem,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Ended(End),
    /// It was interrupted; what runs on the drones goes on.
    Interrupted,
    /// It was interrupted twice, and what ran on the drones was ended.
    Stopped,
    /// The time was over; what ran by then is received, as far as its drones answer.
    OutOfTime,
}

/// What a run is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// The drones that may take work.
    pub drones: Vec<HostName>,
    /// Whether another controller's living lease is overruled.
    pub take_over: bool,
    /// Nothing is started from this moment on; what runs then is received.
    pub until: Option<Timestamp>,
}

struct Run<'a> {
    session: &'a mut Session,
    visitor: watch::Sender<Visitor>,
    reins: BTreeMap<HostName, Reins>,
    watches: BTreeMap<HostName, Arc<Watch>>,
    caches: BTreeMap<HostName, Arc<Cache>>,
    supports: BTreeMap<HostName, Arc<Support>>,
    planned: Arc<BTreeMap<Cpv, PackageIndex>>,
    reports: mpsc::Sender<Report>,
    tasks: JoinSet<()>,
    /// Support packages on their way from drivers: these come to their end, so that nothing is left there.
    fetches: JoinSet<()>,
    works: BTreeMap<JobName, AbortHandle>,
    discarding: BTreeSet<JobName>,
    /// What stays on drones for the sake of standbys.
    removals: Arc<Removals>,
    space: Space,
    narrow: Arc<Mutex<()>>,
    /// Held by whoever brings a release to the orchestrators: one after the other, in their order.
    errands: Arc<Mutex<()>>,
    /// Drones whose keepers have not looked yet.
    unseen: BTreeSet<HostName>,
    /// When the first drone was ready.
    looked: Option<Instant>,
    /// Whether another controller was at work on these drones before.
    succeeds: bool,
    /// Whether the operator has been told that there is no majority.
    told_of_no_majority: bool,
    /// Nothing is started from this moment on.
    until: Option<Timestamp>,
    /// Whether the operator has been told so.
    told_of_time: bool,
}

/// What may come in from outside while it runs.
#[derive(Debug)]
pub struct Outside {
    /// Who wants it to end.
    pub halts: mpsc::Receiver<Halt>,
    /// What the control socket is asked.
    pub asked: mpsc::Receiver<Asked>,
}

/// Works off the open build on these drones until nothing more can be done or somebody stops it.
///
/// # Errors
/// When something on this side keeps it from going on, or another controller is at work on the drones; what runs there
/// goes on.
pub async fn run(session: &mut Session, orders: &Orders, outside: &mut Outside) -> Result<Finish, ControlError> {
    let planned = match session.state().open_build() {
        Some(build) => build.plan.packages.iter().enumerate(),
        None if !session.state().jobs.is_empty() => [].iter().enumerate(),
        None => return Err(ControlError::Nothing("no build is open: `swarm push ATOM` begins one".to_owned())),
    };
    let planned = planned.map(|(index, package)| (package.identity.cpv.clone(), PackageIndex::at(index))).collect();
    let opened = session.state().open.clone();
    if tenure::begin(session, orders, outside).await? == Begun::Interrupted {
        return Ok(Finish::Interrupted);
    }
    session.begin_run()?;
    leave_out(session, &orders.drones)?;
    raise_build_ids(session)?;
    let (reports, mut reported) = mpsc::channel(64);
    let visitor = Visitor { take_over: orders.take_over, ..session.visitor() };
    let removals = Arc::new(Removals::new(session));
    let space = Space::new(session)?;
    let succeeds = session.state().succeeds;
    let mut run = Run {
        session,
        visitor: watch::Sender::new(visitor),
        reins: BTreeMap::new(),
        watches: BTreeMap::new(),
        caches: BTreeMap::new(),
        supports: BTreeMap::new(),
        planned: Arc::new(planned),
        reports,
        tasks: JoinSet::new(),
        fetches: JoinSet::new(),
        works: BTreeMap::new(),
        discarding: BTreeSet::new(),
        removals,
        space,
        narrow: Arc::default(),
        errands: Arc::default(),
        unseen: BTreeSet::new(),
        looked: None,
        succeeds: orders.take_over || succeeds,
        told_of_no_majority: false,
        until: orders.until,
        told_of_time: false,
    };
    run.keep(&orders.drones);
    run.stay_in_office();
    run.tidy_up();
    run.take_up()?;
    run.session.alarms.at_work = Some(now());
    let finish = run.work_off(&mut reported, outside).await;
    if finish.is_ok() {
        run.session.keep_status();
    }
    // Nothing may be written down any more: what jobs find from here on is found again by the next controller.
    run.session.alarms.at_work = None;
    run.tasks.abort_all();
    run.session.end_run();
    run.removals.finish().await;
    let fetched = async { while run.fetches.join_next().await.is_some() {} };
    // A driver that is gone is not waited for.
    let _late = tokio::time::timeout(LONGEST_FETCH, fetched).await;
    if !finish.as_ref().is_err_and(ControlError::is_of_another) {
        run.say_farewell().await;
    }
    let released =
        opened.and_then(|build| session.state().builds.get(&build)).is_some_and(|build| build.released.is_some());
    match finish {
        // Somebody released it as soon as all of it was there.
        Ok(Finish::Ended(End::Forgotten)) if released => Ok(Finish::Ended(End::Complete)),
        finish => finish,
    }
}

/// Drones that the operator did not choose get nothing.
fn leave_out(session: &mut Session, drones: &[HostName]) -> Result<(), ControlError> {
    let others: Vec<HostName> = session.state().drones.keys().filter(|name| !drones.contains(name)).cloned().collect();
    for drone in others {
        let reason = "left out by --on".to_owned();
        session.record(&Event::DroneAway { drone, trouble: Trouble::LeftOut, reason, at: now() })?;
    }
    Ok(())
}

/// No path that staging or production has may ever name other content.
fn raise_build_ids(session: &mut Session) -> Result<(), ControlError> {
    let state = session.state();
    let mut highest: BTreeMap<Cpv, BuildId> = BTreeMap::new();
    for package in state.open_build().map(|build| build.plan.packages.as_slice()).unwrap_or_default() {
        let cpv = &package.identity.cpv;
        let found = session.staging.largest_build_id(cpv)?.max(session.releases.largest_build_id(cpv)?);
        if let Some(found) = found.filter(|found| state.build_ids.get(cpv).is_none_or(|known| known < found)) {
            highest.insert(cpv.clone(), found);
        }
    }
    if highest.is_empty() { Ok(()) } else { session.record(&Event::BuildIdsSeen { highest }) }
}

impl Run<'_> {
    async fn work_off(
        &mut self,
        reported: &mut mpsc::Receiver<Report>,
        outside: &mut Outside,
    ) -> Result<Finish, ControlError> {
        loop {
            self.session.look_at_alarms()?;
            self.session.keep_status_when_quiet();
            let wake = match self.first_look() {
                Some(rest) => rest,
                None => match self.proceed()? {
                    Next::Wait(rest) => rest,
                    Next::End(end) => return Ok(Finish::Ended(end)),
                },
            };
            if self.is_out_of_time() && is_at_rest(self.session.state()) {
                return Ok(Finish::OutOfTime);
            }
            let wake = wake.min(self.time_left()).min(self.session.quiet_in().unwrap_or(Duration::MAX));
            tokio::select! {
                report = reported.recv() => if let Some(report) = report { self.hear(report)? },
                sent = self.session.alarms.sent() => self.session.note_sent(sent)?,
                Some(halt) = outside.halts.recv() => return self.halt(halt, reported, outside).await,
                Some(asked) = outside.asked.recv() => self.answer(asked).await?,
                () = tokio::time::sleep(wake.min(Duration::from_secs(alarms::INTERVAL))) => {}
            }
        }
    }

    /// # Errors
    /// What was asked for could not be written down.
    async fn answer(&mut self, asked: Asked) -> Result<(), ControlError> {
        match asked {
            Asked::Verb(verb, answer) if verb.releases() => match verb::carry_out(self.session, &verb).await {
                Ok(told) => self.bring(told.lines, answer),
                Err(error) => attend::refuse(self.session, error, answer)?,
            },
            asked => attend::answer(self.session, asked).await?,
        }
        Ok(())
    }

    /// Brings what is live now to the orchestrators, beside everything else, and then answers.
    fn bring(&mut self, lines: Vec<String>, answer: oneshot::Sender<Result<Answer, String>>) {
        let _gone = match Errand::new(self.session, Whom::All) {
            Ok(None) => answer.send(Ok(Answer::of(lines))),
            Err(error) => answer.send(Err(error.to_string())),
            Ok(Some(errand)) => {
                let (turn, reports) = (Arc::clone(&self.errands), self.reports.clone());
                self.tasks.spawn(async move {
                    let _turn = turn.lock().await;
                    let publication = errand.run().await;
                    let _gone = reports.send(Report::Published { publication, lines, answer }).await;
                });
                Ok(())
            }
        };
    }

    /// Nothing starts before it is known whether another controller is at work; how long that may still take.
    fn first_look(&self) -> Option<Duration> {
        if self.unseen.is_empty() {
            return None;
        }
        let Some(since) = self.looked else { return Some(Duration::from_secs(3600)) };
        let until = since + if self.succeeds { LOOK_FOR_JOBS } else { FIRST_LOOK };
        Some(until.saturating_duration_since(Instant::now())).filter(|rest| !rest.is_zero())
    }

    /// Carries out what follows from the state.
    fn proceed(&mut self) -> Result<Next, ControlError> {
        self.discard_unwanted();
        let decision = decide(self.session.state(), now());
        if !decision.given_up.is_empty() {
            for job in decision.given_up {
                self.session.record(&Event::JobGivenUp { job, at: now() })?;
            }
            return Ok(Next::Wait(Duration::ZERO));
        }
        if self.look_for_room(&decision)? {
            return Ok(Next::Wait(Duration::ZERO));
        }
        // Without a majority what runs goes on, and nothing is started.
        let may_start = self.is_in_office() && !self.is_out_of_time();
        let starts = if may_start { decision.starts } else { Vec::new() };
        let started = !starts.is_empty();
        for start in starts {
            self.start(start)?;
        }
        if let Some(build) = decision.finished {
            self.session.record(&Event::BuildFinished { build, at: now() })?;
        }
        if let Some(end) = decision.end {
            return Ok(Next::End(end));
        }
        if started {
            // One decision starts a part of what could start, so that it ends soon.
            return Ok(Next::Wait(Duration::ZERO));
        }
        let until = decision.wake_at.map_or(3600, |at| at.seconds_since(now()).max(1));
        Ok(Next::Wait(Duration::from_secs(until)))
    }

    fn is_out_of_time(&mut self) -> bool {
        let is_over = self.until.is_some_and(|until| until <= now());
        if is_over && !std::mem::replace(&mut self.told_of_time, true) {
            let running = self.session.state().jobs.len();
            self.session.note(&format!("the time is over: nothing new is started, {running} builds are waited for"));
        }
        is_over
    }

    /// How long something may still be started, as far as this machine's clock is not set meanwhile.
    fn time_left(&self) -> Duration {
        let left = self.until.map(|until| until.seconds_since(now())).filter(|left| *left > 0);
        left.map_or(Duration::MAX, |left| Duration::from_secs(left.min(LOOK_AT_CLOCK)))
    }

    /// Starts a keeper for each drone that may take work, or has work of ours.
    fn keep(&mut self, drones: &[HostName]) {
        let state = self.session.state();
        let mut kept: BTreeSet<HostName> = drones.iter().cloned().collect();
        kept.extend(state.jobs.values().map(|job| job.drone.clone()));
        let plan = state.open_build().map(|build| Arc::clone(&build.plan));
        let measure = Arc::default();
        for drone in kept {
            let (Some(host), Some(known)) = (self.session.hosts.get(&drone), self.session.inventory.host(&drone))
            else {
                continue;
            };
            let clean_room = match &known.role {
                Role::Drone(settings) => settings.clean_room,
                Role::Plain | Role::Orchestrator(_) => CleanRoom::Never,
            };
            let cores = self.session.state().drones.get(&drone).map_or(1, |drone| drone.spec.cores);
            let reins = Reins::default();
            let keeper = Keeper {
                drone: drone.clone(),
                host: Arc::clone(host),
                workdir: known.access.workdir.clone(),
                clean_room,
                cores,
                plan: plan.clone(),
                measure: Arc::clone(&measure),
                hosts: Arc::clone(&self.session.hosts),
                visitor: self.visitor.subscribe(),
                reins: reins.clone(),
                reports: self.reports.clone(),
            };
            self.tasks.spawn(keeper.run());
            self.reins.insert(drone.clone(), reins);
            self.unseen.insert(drone);
        }
    }
}

enum Next {
    Wait(Duration),
    End(End),
}
