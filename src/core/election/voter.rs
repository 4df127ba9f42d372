//! A voter's promise, and what it answers.

use crate::core::names::{ControllerName, Epoch};

/// A random number that a voter makes when it finds that it knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

/// What was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The epoch.
    pub epoch: Epoch,
    /// Who it was given to; none where it is only known that it was given.
    pub holder: Option<ControllerName>,
    /// For so many seconds more.
    pub left: u64,
}

impl Promise {
    /// Nothing was ever promised.
    pub fn none() -> Self {
        Self { epoch: Epoch(0), holder: None, left: 0 }
    }

    fn is_of(&self, controller: &ControllerName) -> bool {
        self.holder.as_ref() == Some(controller)
    }

    /// Whether it keeps this controller out.
    pub fn binds_against(&self, controller: &ControllerName) -> bool {
        self.left > 0 && self.holder.is_some() && !self.is_of(controller)
    }
}

/// An epoch that a controller may have decided under: a majority had promised it when this was written down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// The epoch.
    pub epoch: Epoch,
    /// The controller.
    pub controller: ControllerName,
}

/// What a voter has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knowledge {
    /// What it has promised.
    pub promise: Promise,
    /// The latest term that it has heard of.
    pub latest: Option<Term>,
}

impl Knowledge {
    /// Nothing was ever promised.
    pub fn none() -> Self {
        Self { promise: Promise::none(), latest: None }
    }
}

/// What a voter is taught that has lost its promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The loss that it is meant for.
    pub mark: Mark,
    /// The newest that is known.
    pub newest: Knowledge,
}

/// What a voter is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What it knows.
    Ask,
    /// A promise of this epoch.
    Claim {
        /// The epoch.
        epoch: Epoch,
        /// Who wants it.
        holder: ControllerName,
        /// For how long, in seconds.
        lease: u64,
        /// Whether somebody else's promise is to be broken.
        take_over: bool,
        /// What it is to learn before.
        lesson: Option<Lesson>,
    },
    /// Whether it still keeps this promise; if so, for so long again.
    Confirm {
        /// The epoch.
        epoch: Epoch,
        /// Who has it.
        holder: ControllerName,
        /// For how long, in seconds.
        lease: u64,
        /// What it is to learn before.
        lesson: Option<Lesson>,
    },
}

/// What a voter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It promises, or keeps its promise; with the latest term that it has heard of.
    Granted(Option<Term>),
    /// It does not, or was only asked: this is what it has promised.
    Has(Knowledge),
    /// It knows nothing.
    Lost(Mark),
}

/// What a voter has written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// It knows nothing any more, and calls that so.
    Lost(Mark),
    /// A promise, the time in it being that at which it ends, by the voter's clock.
    Kept(Knowledge),
}

impl Record {
    /// Answers a request at this moment of the voter's clock, in seconds.
    pub fn answer(&mut self, request: &Request, now: u64) -> Answer {
        if let Request::Claim { lesson: Some(lesson), .. } | Request::Confirm { lesson: Some(lesson), .. } = request {
            self.learn(lesson, now);
        }
        let (kept, latest) = match self {
            Self::Lost(mark) => return Answer::Lost(*mark),
            Self::Kept(Knowledge { promise, latest }) => {
                (Promise { left: promise.left.saturating_sub(now), ..promise.clone() }, latest.clone())
            }
        };
        let (epoch, holder, lease, latest) = match request {
            Request::Claim { epoch, holder, lease, take_over, .. }
                if (*epoch == kept.epoch && kept.is_of(holder))
                    || (*epoch > kept.epoch && (*take_over || !kept.binds_against(holder))) =>
            {
                (epoch, holder, lease, latest)
            }
            // Only what a majority has promised is ever to be confirmed.
            Request::Confirm { epoch, holder, lease, .. } if *epoch == kept.epoch && kept.is_of(holder) => {
                (epoch, holder, lease, Some(Term { epoch: *epoch, controller: holder.clone() }))
            }
            Request::Ask | Request::Claim { .. } | Request::Confirm { .. } => {
                return Answer::Has(Knowledge { promise: kept, latest });
            }
        };
        // A late request must not shorten what a newer one has brought.
        let left = (now + lease).max(if kept.is_of(holder) { now + kept.left } else { 0 });
        let promise = Promise { epoch: *epoch, holder: Some(holder.clone()), left };
        *self = Self::Kept(Knowledge { promise, latest: latest.clone() });
        Answer::Granted(latest)
    }

    fn learn(&mut self, lesson: &Lesson, now: u64) {
        if *self == Self::Lost(lesson.mark) {
            let Knowledge { promise, latest } = lesson.newest.clone();
            *self = Self::Kept(Knowledge { promise: Promise { left: now + promise.left, ..promise }, latest });
        }
    }
}
