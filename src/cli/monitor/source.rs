//! Follows the state: takes it up, takes in what happens, begins anew where something was missed or somebody else decides
//! now, and tells the screen how it looks, as often as that pays.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::beside::Beside;
use super::log::{self, Here};
use super::place::{Attached, Lines, Place, said};
use crate::controller::api::{Missed, StateView, Told, What};
use crate::controller::{now, socket};
use crate::core::build::Build;
use crate::core::event::Event;
use crate::core::explain::explain;
use crate::core::names::Timestamp;
use crate::core::overview;
use crate::core::state::State;
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::pause::Pauses;
use crate::ui::monitor::{Link, Look, Message, Said, Tone};

/// Between two looks whether there is something to tell.
const TURN: Duration = Duration::from_millis(200);
/// What runs gets on though nothing happens: it is told so often.
const AT_WORK: Duration = Duration::from_secs(1);
/// The same where nothing runs.
const AT_REST: Duration = Duration::from_secs(10);
/// Between two looks whether a controller is at work here.
const KNOCK: Duration = Duration::from_secs(1);
/// Between two forecasts of the rest.
const FORECAST: Duration = Duration::from_secs(10);
/// What was made in a time is not made again before so many times that have passed.
const SHARE: u32 = 20;
/// The first pause before the state is asked for again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the screen wants to know.
#[derive(Debug)]
pub enum Request {
    /// Why this package is where it is.
    Explain(String),
    /// The log of this package from now on; none: no log.
    Log(Option<String>),
}

/// Whether what follows is still what follows.
enum Heard {
    All,
    /// Something was missed: the state is taken up anew.
    Gap,
}

/// A log that is followed.
enum Log {
    Here(Here),
    There(JoinHandle<()>),
}

/// A forecast of the rest that is being made, or when the last one was made.
struct Forecast {
    made: Option<JoinHandle<(Option<u64>, Duration)>>,
    due: Instant,
    /// How long the rest lasts, and when that was said.
    left: Option<(u64, Timestamp)>,
}

/// Follows the state.
pub struct Source {
    place: Place,
    beside: Beside,
    told: mpsc::UnboundedSender<Message>,
    asked: mpsc::UnboundedReceiver<Request>,
    known: Option<StateView>,
    lines: Option<Lines>,
    /// Since when there is no connection.
    away: Option<Timestamp>,
    pauses: Pauses,
    try_again: Instant,
    link: Link,
    log: Option<Log>,
    forecast: Forecast,
    changed: bool,
    next_look: Instant,
    next_knock: Instant,
    /// What was wrong at the last look at the files beside the journal.
    complaint: String,
}

impl Source {
    /// Of this place; it tells the screen, and is asked by it.
    pub fn new(
        place: Place,
        inventory: &Inventory,
        told: mpsc::UnboundedSender<Message>,
        asked: mpsc::UnboundedReceiver<Request>,
    ) -> Self {
        let beside = Beside::new(&place, inventory);
        Self {
            place,
            beside,
            told,
            asked,
            known: None,
            lines: None,
            away: None,
            pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE),
            try_again: Instant::now(),
            link: Link::Opening,
            log: None,
            forecast: Forecast { made: None, due: Instant::now(), left: None },
            changed: false,
            next_look: Instant::now(),
            next_knock: Instant::now(),
            complaint: String::new(),
        }
    }

    /// Follows for as long as somebody looks.
    pub async fn run(mut self) {
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.lines.is_none() && Instant::now() >= self.try_again {
                self.attach().await;
            }
            tokio::select! {
                line = next(&mut self.lines) => match line {
                    Ok(line) => self.take(&line),
                    Err(error) => self.lose(&error),
                },
                request = self.asked.recv() => match request {
                    Some(request) => self.answer(request),
                    // Nobody looks any more.
                    None => return,
                },
                _ = turns.tick() => self.turn().await,
            }
        }
    }

    /// What is known, as far as it is.
    fn state(&self) -> Option<&State> {
        self.known.as_ref().map(|known| &known.state)
    }

    fn tell(&self, message: Message) {
        // Nobody may look any more.
        let _ended = self.told.send(message);
    }

    fn say(&self, at: Timestamp, text: String, tone: Tone) {
        self.tell(Message::Happened(vec![Said { at, text, tone }]));
    }

    async fn attach(&mut self) {
        // What is missed again at once is not asked for without a pause.
        self.try_again = Instant::now() + FIRST_PAUSE;
        match self.place.attach().await {
            Ok(Attached { state, sequence, recent, lines }) => {
                if self.known.is_none() {
                    self.tell(Message::Happened(recent));
                }
                if self.away.take().is_some() {
                    self.say(now(), "connected again".to_owned(), Tone::Good);
                }
                (self.known, self.lines) = (Some(StateView { sequence, state }), Some(lines));
                self.pauses.reset();
                if let Place::There(remote) = &self.place {
                    let link = Link::There(remote.base().to_owned());
                    self.link(link);
                }
                self.forecast.due = Instant::now();
                self.changed = true;
            }
            Err(error) => self.lose(&error),
        }
    }

    fn link(&mut self, link: Link) {
        if self.link != link {
            self.link = link.clone();
            self.tell(Message::Link(link));
        }
    }

    /// The state cannot be followed for now.
    fn lose(&mut self, error: &anyhow::Error) {
        self.lines = None;
        let why = super::super::chain(error);
        if self.away.is_none() {
            self.say(now(), format!("connection away: {why}"), Tone::Bad);
        }
        let since = *self.away.get_or_insert_with(now);
        self.link(Link::Away { since, why });
        self.try_again = Instant::now() + self.pauses.next();
    }

    fn take(&mut self, line: &str) {
        if let Heard::Gap = self.hear(line) {
            self.lines = None;
        }
    }

    fn hear(&mut self, line: &str) -> Heard {
        let Some(known) = &mut self.known else { return Heard::Gap };
        // A newer controller may tell what this program does not know: the state then says what it came to.
        let Some(told) = Told::read(line) else { return Heard::Gap };
        match told.what {
            What::Note(note) => self.say(told.at, note, Tone::Plain),
            What::Over(_) => {}
            What::Event { sequence, event } => {
                let before = known.state.controller.clone();
                match known.take_in(sequence, &event) {
                    Ok(true) => {}
                    Ok(false) => return Heard::All,
                    Err(Missed) => return Heard::Gap,
                }
                self.changed = true;
                let said = said(&event, &known.state, told.at);
                let another = before.is_some() && before != known.state.controller;
                if let Some(said) = said {
                    self.tell(Message::Happened(vec![said]));
                }
                // Another one may have gone on from a little earlier than this one was followed to.
                if another && matches!(*event, Event::EpochClaimed { .. }) {
                    return Heard::Gap;
                }
            }
        }
        Heard::All
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Explain(label) => {
                let lines = self.explained(&label).unwrap_or_else(|why| vec![why]);
                self.tell(Message::Explained { label, lines });
            }
            Request::Log(wanted) => {
                if let Some(Log::There(follower)) = self.log.take() {
                    follower.abort();
                }
                self.log = wanted.map(|label| match &self.place {
                    Place::Here(_) => Log::Here(Here::new(label)),
                    Place::There(remote) => {
                        Log::There(tokio::spawn(log::follow_there(remote.clone(), label, self.told.clone())))
                    }
                });
                self.read_log();
            }
        }
    }

    fn explained(&self, label: &str) -> Result<Vec<String>, String> {
        let state = self.state().ok_or("nothing is known yet")?;
        let build = state.latest_build().ok_or("nothing has been asked for yet")?;
        let package = build.find(label).map_err(|error| error.to_string())?;
        Ok(explain(state, build, package, now()))
    }

    fn read_log(&mut self) {
        let (Some(Log::Here(log)), Place::Here(directory)) = (&mut self.log, &self.place) else { return };
        for message in log.read(self.known.as_ref().map(|known| &known.state), directory) {
            self.tell(message);
        }
    }

    async fn turn(&mut self) {
        if let (Place::Here(directory), true) = (&self.place, self.lines.is_some())
            && Instant::now() >= self.next_knock
        {
            self.next_knock = Instant::now() + KNOCK;
            match socket::at_work(directory).await {
                Ok(process) => self.link(Link::Here { at_work: process.is_some() }),
                Err(error) => self.complain(error.to_string()),
            }
        }
        self.read_log();
        self.foretell().await;
        if self.changed || Instant::now() >= self.next_look {
            self.look();
        }
    }

    /// Says once what is wrong beside the journal.
    fn complain(&mut self, why: String) {
        if self.complaint != why {
            self.say(now(), why.clone(), Tone::Bad);
            self.complaint = why;
        }
    }

    /// Has the rest forecast beside all else, now and then.
    async fn foretell(&mut self) {
        let Some(state) = self.known.as_ref().map(|known| &known.state) else { return };
        if let Some(made) = self.forecast.made.take_if(|made| made.is_finished()) {
            let (left, took) = match made.await {
                Ok(made) => made,
                Err(error) => return self.complain(format!("no forecast: {error}")),
            };
            self.forecast.left = left.map(|left| (left, now()));
            self.forecast.due = Instant::now() + FORECAST.max(took * SHARE);
            self.changed = true;
        } else if self.forecast.made.is_none() && Instant::now() >= self.forecast.due {
            if state.open_build().is_none_or(Build::is_over) {
                self.forecast.left = None;
                return;
            }
            let (state, at) = (state.clone(), now());
            self.forecast.made = Some(tokio::task::spawn_blocking(move || {
                let begun = Instant::now();
                (overview::rest(&state, at), begun.elapsed())
            }));
        }
    }

    /// Tells how the state looks now.
    fn look(&mut self) {
        let (begun, at) = (Instant::now(), now());
        let Some(state) = self.known.as_ref().map(|known| &known.state) else { return };
        let mut status = Status::of(state, None, at);
        let beside = self.beside.fill(&mut status);
        let left_s = self.forecast.left.map(|(left, said)| left.saturating_sub(at.seconds_since(said)));
        let look = Look::of(state, status, left_s, at);
        let rests = state.jobs.is_empty();
        self.tell(Message::Look(Box::new(look)));
        if let Err(error) = beside {
            self.complain(super::super::chain(&error));
        }
        self.changed = false;
        let soon = if rests { AT_REST } else { AT_WORK };
        self.next_look = Instant::now() + soon.max(begun.elapsed() * SHARE);
    }
}

/// The next line; never, where nothing is followed.
async fn next(lines: &mut Option<Lines>) -> anyhow::Result<String> {
    match lines {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}
