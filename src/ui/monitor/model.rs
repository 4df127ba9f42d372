//! What is shown: the state, what is chosen of it, what is asked.

use std::collections::VecDeque;

use jiff::tz::TimeZone;

use super::layout;
use super::list::{List, Scroll};
use super::look::{Look, Row};
use super::message::{Deed, Link, Said, Tone};
use super::style::Palette;
use crate::core::names::{HostName, Timestamp};
use crate::core::overview::Place;

/// So many lines of what happened are kept.
const EVENTS: usize = 2000;
/// So many lines of a log are kept.
const LOG_LINES: usize = 20_000;

/// A part of the screen that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The drones and what they build.
    Drones,
    /// The packages.
    Packages,
    /// What happens.
    Events,
    /// Release, orchestrators, queue, runs, alarms.
    Swarm,
}

impl Pane {
    /// In the order of the Tab key.
    pub const ALL: [Self; 4] = [Self::Drones, Self::Packages, Self::Events, Self::Swarm];
}

/// Which packages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// All, what matters first.
    All,
    /// What waits for its needs or for a drone.
    Waiting,
    /// What is being built.
    Building,
    /// What is given up.
    Failed,
    /// What waits for something that is given up.
    Blocked,
    /// What is there.
    Received,
}

impl Section {
    /// In the order in which they stand.
    pub const ALL: [Self; 6] = [Self::All, Self::Waiting, Self::Building, Self::Failed, Self::Blocked, Self::Received];

    /// Its place; none: any.
    pub fn place(self) -> Option<Place> {
        match self {
            Self::All => None,
            Self::Waiting => Some(Place::Needed),
            Self::Building => Some(Place::Delegated),
            Self::Failed => Some(Place::Failed),
            Self::Blocked => Some(Place::Blocked),
            Self::Received => Some(Place::Received),
        }
    }
}

/// A line of the drones: a drone, and one of its jobs where it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroneLine {
    /// The drone.
    pub drone: HostName,
    /// Which of its jobs.
    pub job: Option<usize>,
}

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// The keys.
    Help(Scroll),
    /// Why a package is where it is.
    Explain {
        /// The package.
        label: String,
        /// A line each; none before the answer is there.
        lines: Vec<String>,
        /// Which are shown.
        scroll: Scroll,
    },
    /// The log of a package.
    Log(Log),
}

/// The log of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The package.
    pub label: String,
    /// Its lines; the last one may not be whole.
    pub lines: VecDeque<String>,
    /// Why there is none.
    pub none: Option<String>,
    /// Which lines are shown.
    pub scroll: Scroll,
    /// How many characters of each are left out at its beginning.
    pub left: usize,
}

impl Log {
    /// One of which nothing is there yet.
    pub fn new(label: String) -> Self {
        Self { label, lines: VecDeque::new(), none: None, scroll: Scroll::END, left: 0 }
    }

    /// Takes in what follows.
    pub fn append(&mut self, text: &str, begins: bool) {
        if begins {
            self.lines.clear();
            self.scroll = Scroll::END;
        }
        self.none = None;
        for (index, piece) in text.split('\n').enumerate() {
            match self.lines.back_mut() {
                Some(last) if index == 0 => last.push_str(piece),
                _ => self.lines.push_back(piece.to_owned()),
            }
        }
        let surplus = self.lines.len().saturating_sub(LOG_LINES);
        self.lines.drain(..surplus);
        self.scroll.shift(surplus);
    }

    /// How many lines there are, without an empty one at the end.
    pub fn count(&self) -> usize {
        self.lines.len() - usize::from(self.lines.back().is_some_and(String::is_empty))
    }
}

/// Something that is asked before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The words.
    pub words: String,
    /// What each of these keys has done; any other has nothing done.
    pub answers: Vec<(char, Answer)>,
    /// What is said where nothing is done.
    pub otherwise: &'static str,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To this.
    Do(Deed),
    /// To the end of the monitor.
    Quit,
}

/// What is shown.
#[derive(Debug, Clone)]
pub struct Model {
    /// The swarm's name.
    pub swarm: String,
    /// Where the clock stands.
    pub now: Timestamp,
    /// By whose clock times are shown.
    pub zone: TimeZone,
    /// How it looks.
    pub palette: Palette,
    /// Columns and lines.
    pub size: (u16, u16),
    /// How the state is reached.
    pub link: Link,
    /// The state; none before it is known.
    pub look: Option<Box<Look>>,
    /// What happened.
    pub events: VecDeque<Said>,
    /// Which of that is shown.
    pub events_at: Scroll,
    /// Which lines of the swarm are shown.
    pub swarm_at: Scroll,
    /// The pane that keys go to.
    pub pane: Pane,
    /// Which packages are shown.
    pub section: Section,
    /// Only those with this in their names.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// The packages that are shown, by their numbers in the order in which they stand.
    pub shown: Vec<u32>,
    /// Where one is among them.
    pub packages_at: List,
    /// The name of the one that is chosen.
    pub package: Option<String>,
    /// The lines of the drones.
    pub drone_lines: Vec<DroneLine>,
    /// Where one is among them.
    pub drones_at: List,
    /// What lies over the panes.
    pub window: Option<Window>,
    /// What is asked.
    pub question: Option<Question>,
    /// What is being carried out.
    pub busy: Option<Deed>,
    /// The last word on what was wanted.
    pub notice: Option<(String, Tone)>,
}

impl Model {
    /// Before anything is known.
    pub fn new(swarm: String, zone: TimeZone, palette: Palette, now: Timestamp) -> Self {
        Self {
            swarm,
            now,
            zone,
            palette,
            size: (80, 24),
            link: Link::Opening,
            look: None,
            events: VecDeque::new(),
            events_at: Scroll::END,
            swarm_at: Scroll::START,
            pane: Pane::Packages,
            section: Section::All,
            filter: String::new(),
            typing: false,
            shown: Vec::new(),
            packages_at: List::default(),
            package: None,
            drone_lines: Vec::new(),
            drones_at: List::default(),
            window: None,
            question: None,
            busy: None,
            notice: None,
        }
    }

    /// The package in a line of those that are shown.
    pub fn row_at(&self, line: usize) -> Option<&Row> {
        let index = usize::try_from(*self.shown.get(line)?).ok()?;
        self.look.as_ref()?.rows.get(index)
    }

    /// The package that is meant: that of the job that is chosen, else the one among the packages.
    pub fn chosen_package(&self) -> Option<&str> {
        let job = self.chosen_line().filter(|_| self.pane == Pane::Drones).and_then(|line| {
            let jobs = &self.look.as_ref()?.overview.drones.get(&line.drone)?.jobs;
            Some(jobs.get(line.job?)?.package.as_str())
        });
        job.or_else(|| self.row_at(self.packages_at.at).map(|row| row.view.label.as_str()))
    }

    /// The line of the drones that is chosen.
    pub fn chosen_line(&self) -> Option<&DroneLine> {
        self.drone_lines.get(self.drones_at.at)
    }

    /// Takes in what happened.
    pub fn happened(&mut self, said: impl IntoIterator<Item = Said>) {
        self.events.extend(said);
        let surplus = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..surplus);
        self.events_at.shift(surplus);
    }

    /// Lays anew what follows from state, section, filter and size.
    pub fn lay(&mut self) {
        self.lay_packages();
        self.lay_drones();
        self.fit();
    }

    /// Keeps what is chosen in sight.
    pub fn fit(&mut self) {
        let areas = layout::areas(self);
        self.drones_at.fit(self.drone_lines.len(), layout::lines(areas.drones));
        self.packages_at.fit(self.shown.len(), layout::lines(areas.packages));
        self.package = self.row_at(self.packages_at.at).map(|row| row.view.label.clone());
    }

    fn lay_packages(&mut self) {
        let Some(look) = &self.look else { return };
        let filter = self.filter.to_lowercase();
        let is_wanted = |row: &&Row| {
            self.section.place().is_none_or(|place| row.view.place == place)
                && (filter.is_empty() || row.view.label.to_lowercase().contains(&filter))
        };
        let mut shown: Vec<(Place, u32)> =
            look.rows.iter().filter(is_wanted).map(|row| (row.view.place, row.view.package.0)).collect();
        // What is shown of all stands by what matters, each in merge order.
        shown.sort_unstable();
        self.shown = shown.into_iter().map(|(_, package)| package).collect();
        // What was chosen stays chosen wherever it stands now.
        let chosen = self.package.as_ref();
        let line = self
            .shown
            .iter()
            .position(|package| look.rows.get(*package as usize).is_some_and(|row| chosen == Some(&row.view.label)));
        self.packages_at.at = line.unwrap_or(self.packages_at.at);
    }

    fn lay_drones(&mut self) {
        let Some(look) = &self.look else { return };
        let chosen = self.chosen_line().cloned();
        self.drone_lines = look
            .overview
            .drones
            .iter()
            .flat_map(|(drone, view)| {
                let line = |job| DroneLine { drone: drone.clone(), job };
                let none = view.jobs.is_empty().then(|| line(None));
                (0..view.jobs.len()).map(move |job| line(Some(job))).chain(none)
            })
            .collect();
        let same = |line: &DroneLine| Some(line) == chosen.as_ref();
        let near = |line: &DroneLine| chosen.as_ref().is_some_and(|chosen| chosen.drone == line.drone);
        let at = self.drone_lines.iter().position(same).or_else(|| self.drone_lines.iter().position(near));
        self.drones_at.at = at.unwrap_or(self.drones_at.at);
    }
}
