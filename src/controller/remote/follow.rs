//! Follows a build at the controller elsewhere: the same events come to the same state, and to the same observer, as where
//! the controller is this process.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Remote, RemoteError, Waiting};
use crate::controller::api::{Follower, Missed, Over, StateView, Told, What};
use crate::controller::run::Halt;
use crate::controller::session::{Observer, now};
use crate::core::build::Build;
use crate::core::event::{Event, Trouble};
use crate::core::names::{BuildName, ControllerName, Timestamp};
use crate::core::state::{Condition, State};

/// What the controller says at last of a build that is over is waited for so long.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Without a sign of life for so long (both ends say something more often) the connection is taken to be dead.
const SILENCE: Duration = Duration::from_secs(60);

/// How following ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The controller has done what it can for now: the exit status.
    Over(u8),
    /// The build is over, and nobody was there to say so: whether all of it is received.
    Finished {
        /// Whether every package is received.
        complete: bool,
    },
    /// The build was reset.
    Reset,
    /// Another controller leads now, and has never heard of the build: it took over before it had been told.
    Unknown,
    /// The operator does not follow any more; the build goes on.
    Detached,
}

struct Following<'a> {
    build: &'a BuildName,
    observer: &'a mut dyn Observer,
    /// What is known there, as far as it was heard.
    known: StateView,
    /// How many are before it, as the operator was told last.
    before: Option<usize>,
    announced: bool,
    /// The last controller that knew it, and when, by the number of its last event.
    known_to: Option<(Option<ControllerName>, i64)>,
}

/// Why no further line is read.
enum Stop {
    Ended(Followed),
    /// Something was missed: the state is fetched anew.
    Gap,
}

/// Follows a build to its end, or until the operator has seen enough.
///
/// # Errors
/// What does not pass by waiting.
pub async fn follow(
    remote: &Remote,
    build: &BuildName,
    observer: &mut dyn Observer,
    halts: &mut mpsc::Receiver<Halt>,
) -> Result<Followed, RemoteError> {
    let mut following = Following {
        build,
        observer,
        known: StateView { sequence: -1, state: State::default() },
        before: None,
        announced: false,
        known_to: None,
    };
    tokio::select! {
        followed = following.run(remote) => followed,
        Some(_) = halts.recv() => Ok(Followed::Detached),
    }
}

impl Following<'_> {
    async fn run(&mut self, remote: &Remote) -> Result<Followed, RemoteError> {
        let mut waiting = Waiting::default();
        loop {
            match self.once(remote, &mut waiting).await {
                Ok(Stop::Ended(followed)) => return Ok(followed),
                Ok(Stop::Gap) => {}
                Err(error) if error.may_pass() => waiting.pause(&error, |text| self.observer.note(text)).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Listens first and then asks for the state, so that nothing is missed in between.
    async fn once(&mut self, remote: &Remote, waiting: &mut Waiting) -> Result<Stop, RemoteError> {
        let mut events = remote.events().await?;
        self.known = remote.state().await?;
        waiting.over();
        self.look();
        loop {
            if let Some(followed) = self.settled() {
                return Ok(Stop::Ended(self.last_words(&mut events, followed).await));
            }
            match tokio::time::timeout(SILENCE, events.next()).await {
                Ok(Some(line)) => {
                    if let Some(stop) = self.hear(&line) {
                        return Ok(stop);
                    }
                }
                Ok(None) | Err(_) => {
                    let gateway = remote.base().to_owned();
                    return Err(RemoteError::Lost { gateway, why: "does not tell any more what happens".to_owned() });
                }
            }
        }
    }

    fn own(&self) -> Option<&Build> {
        self.known.state.builds.get(self.build)
    }

    fn is_open(&self) -> bool {
        self.known.state.open.as_ref() == Some(self.build)
    }

    /// What the state itself says of the end.
    fn settled(&mut self) -> Option<Followed> {
        let waits = self.known.state.queue.iter().any(|queued| queued.name == *self.build);
        if waits || self.own().is_some() {
            self.known_to = Some((self.known.state.controller.clone(), self.known.sequence));
        }
        match self.own() {
            Some(build) if build.released.is_some() => Some(Followed::Finished { complete: true }),
            Some(build) if build.finished.is_some() && build.is_over() && !(build.finalize && build.is_complete()) => {
                Some(Followed::Finished { complete: build.is_complete() })
            }
            // One that has not heard of all yet, or took over before it had, does not know it either.
            None if !waits => {
                let known_to =
                    self.known_to.as_ref().filter(|(controller, _)| *controller == self.known.state.controller);
                let reset = known_to.is_some_and(|(_, sequence)| *sequence <= self.known.sequence);
                Some(if reset { Followed::Reset } else { Followed::Unknown })
            }
            _ => None,
        }
    }

    /// The controller may still have something to tell of it.
    async fn last_words(&mut self, events: &mut Follower, followed: Followed) -> Followed {
        let heard = tokio::time::timeout(LAST_WORDS, async {
            while let Some(line) = events.next().await {
                if let Some(Stop::Ended(over)) = self.hear(&line) {
                    return Some(over);
                }
                // Somebody else's turn has come.
                if !self.is_open() && self.own().is_some_and(|build| build.released.is_none()) {
                    return None;
                }
            }
            None
        });
        heard.await.ok().flatten().unwrap_or(followed)
    }

    fn hear(&mut self, line: &str) -> Option<Stop> {
        // A newer controller may tell what this one does not know: the state then says what it came to.
        let Some(told) = Told::read(line) else { return Some(Stop::Gap) };
        match told.what {
            What::Note(note) => {
                if self.announced {
                    self.observer.note(&note);
                }
                None
            }
            What::Over(Over { build, status }) => (build == *self.build).then_some(Stop::Ended(Followed::Over(status))),
            What::Event { sequence, event } => {
                let was_open = self.is_open();
                match self.known.take_in(sequence, &event) {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(Missed) => return Some(Stop::Gap),
                }
                if was_open && self.announced {
                    self.observer.saw(&event, &self.known.state, told.at);
                }
                self.look();
                None
            }
        }
    }

    /// The drones that were found away since the build began, which was before this began to listen.
    fn tell_drones(&mut self, begun: Timestamp) {
        for (name, drone) in &self.known.state.drones {
            if let Condition::Away { trouble, reason, since, .. } = &drone.condition
                && *since >= begun
                && *trouble != Trouble::LeftOut
            {
                let (drone, reason) = (name.clone(), reason.clone());
                let event = Event::DroneAway { drone, trouble: *trouble, reason, at: *since };
                self.observer.saw(&event, &self.known.state, *since);
            }
        }
    }

    /// Tells the operator where the build stands in the queue, and once that it has its turn.
    fn look(&mut self) {
        if self.is_open() && !self.announced {
            self.announced = true;
            if let Some(build) = self.known.state.builds.get(self.build) {
                let event = Event::BuildOpened {
                    build: build.name.clone(),
                    selection: build.selection.clone(),
                    plan: (*build.plan).clone(),
                    live: std::collections::BTreeMap::new(),
                    rebuild: build.rebuild,
                    at: build.started,
                };
                self.observer.saw(&event, &self.known.state, now());
                let begun = build.started;
                self.tell_drones(begun);
            }
        }
        let place = self.known.state.queue.iter().position(|queued| queued.name == *self.build);
        let worked_off = self.known.state.open_build().is_some_and(|build| !build.is_over());
        let before = place.map(|place| place + usize::from(worked_off)).filter(|before| *before > 0);
        if let Some(before) = before.filter(|_| self.before != before) {
            self.observer.note(&format!("build {} waits: {before} before it", self.build));
        }
        self.before = before;
    }
}
