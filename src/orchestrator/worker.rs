//! Keeps a controller at work for as long as the journal says that there is work.
//!
//! The controller is a process of its own, which goes on when the service ends; a service that is started again finds it
//! there, or begins another where it is gone. One that ends without having come any further (no drone can be used, the
//! lease of another controller lives) is begun again after a pause that grows.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{Notify, watch};

use super::books::Books;
use crate::controller::background::{ALL, Background, FLAG};
use crate::controller::{ControlError, socket};
use crate::core::exit::Exit;
use crate::core::names::BuildName;
use crate::core::state::{State, Turn};
use crate::pause::Pauses;
use crate::store::{Lock, LockError};

/// Whether a controller may begin here.
pub type MayBegin = Arc<dyn Fn() -> bool + Send + Sync>;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a controller that came no further; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Between two looks whether a controller that was told to end has.
const ENDING: Duration = Duration::from_millis(50);

/// The service's hold on its worker.
#[derive(Debug, Clone)]
pub struct Reins {
    state: PathBuf,
    /// Whether it may work.
    on: watch::Sender<bool>,
    nudged: Arc<Notify>,
    superseded: Arc<AtomicBool>,
}

impl Reins {
    /// Those of a worker on this state directory.
    pub fn new(state: PathBuf) -> Self {
        Self { state, on: watch::Sender::new(true), nudged: Arc::default(), superseded: Arc::default() }
    }

    /// There may be something new to do: no pause is waited out.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// No controller is begun from here on, and the one that is at work is told to end; what runs on the drones goes on.
    /// Comes back once nobody is at work on the state directory any more.
    ///
    /// # Errors
    /// Whether somebody is at work cannot be found out.
    pub async fn stand_down(&self) -> Result<(), ControlError> {
        self.on.send_replace(false);
        let mut told = BTreeSet::new();
        while !self.is_free(&mut told).await? {
            tokio::time::sleep(ENDING).await;
        }
        Ok(())
    }

    /// Whether nobody is at work, once who listens has been told to end.
    async fn is_free(&self, told: &mut BTreeSet<u32>) -> Result<bool, ControlError> {
        if let Some(process) = socket::at_work(&self.state).await? {
            let pid = i32::try_from(process).ok().and_then(Pid::from_raw).filter(|_| told.insert(process));
            // One that has just ended needs no signal.
            let _gone = pid.map(|pid| kill_process(pid, Signal::TERM));
            return Ok(false);
        }
        // One that does not listen yet, or any more, still has the lock.
        match Lock::take(&self.state) {
            Ok(_free) => Ok(true),
            Err(LockError::Busy { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the last controller that was begun here found that another one has decided since.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }

    /// A controller may be begun again.
    pub fn resume(&self) {
        self.superseded.store(false, Ordering::Relaxed);
        self.on.send_replace(true);
        self.nudge();
    }
}

/// Begins controllers.
pub struct Worker {
    books: Arc<Books>,
    /// Options of this program by which a controller finds the same inventory.
    options: Vec<OsString>,
    reins: Reins,
    may_begin: MayBegin,
}

/// How far things have come: where two are equal, nothing was achieved in between.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    received: BTreeSet<String>,
    failed: usize,
    waiting: Vec<BuildName>,
    unreleased: Vec<BuildName>,
}

impl Progress {
    fn of(state: &State) -> Self {
        let attempts = |build: &crate::core::build::Build| -> usize {
            build.packages.iter().map(|package| package.attempts.len()).sum()
        };
        Self {
            received: state.staged().into_iter().map(str::to_owned).collect(),
            failed: state.unreleased().map(attempts).sum(),
            waiting: state.queue.iter().map(|queued| queued.name.clone()).collect(),
            unreleased: state.unreleased().map(|build| build.name.clone()).collect(),
        }
    }
}

impl Worker {
    /// One that begins this program with these options, where it may.
    pub fn new(books: Arc<Books>, options: Vec<OsString>, reins: Reins, may_begin: MayBegin) -> Self {
        Self { books, options, reins, may_begin }
    }

    /// Works for as long as it is not dropped.
    pub async fn run(self) {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.once().await {
                Ok(None | Some(true)) => {
                    pauses.reset();
                    self.wait(LOOK).await;
                }
                Ok(Some(false)) => self.rest(&mut pauses).await,
                Err(error) => {
                    tracing::error!("no controller can be begun: {error}");
                    self.rest(&mut pauses).await;
                }
            }
        }
    }

    /// Begins a controller where there is work, and waits for its end: whether things have come any further. None where
    /// nothing was begun.
    async fn once(&self) -> Result<Option<bool>, Box<dyn std::error::Error + Send + Sync>> {
        if !*self.reins.on.borrow() || !(self.may_begin)() || socket::at_work(&self.reins.state).await?.is_some() {
            return Ok(None);
        }
        let read = self.books.read().await?;
        if read.state.turn(&BTreeSet::new()) == Turn::Rest {
            return Ok(None);
        }
        let before = Progress::of(&read.state);
        let push = ["push".into(), format!("--{FLAG}").into(), format!("--{ALL}").into()];
        let mut controller = Background::start(&self.reins.state, self.options.iter().cloned().chain(push))?;
        tracing::info!("a controller works off what waits, process {}", controller.process());
        let status = controller.ended().await?;
        let after = self.books.read_anew().await?;
        tracing::info!("the controller has ended: {status}");
        self.reins.superseded.store(status.code().and_then(Exit::of_status) == Some(Exit::Busy), Ordering::Relaxed);
        Ok(Some(before != Progress::of(&after.state) || status.success()))
    }

    async fn rest(&self, pauses: &mut Pauses) {
        let pause = pauses.next();
        tracing::info!(
            "it came no further; the next is begun in {} s, or when something is asked for",
            pause.as_secs()
        );
        if self.wait(pause).await {
            pauses.reset();
        }
    }

    /// Whether somebody has nudged it meanwhile.
    async fn wait(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.reins.nudged.notified()).await.is_ok()
    }
}
