//! Named places at which a test ends this process as `kill -9` would, compiled in only with the feature `failpoints`.
//!
//! `SWARM_FAILPOINT=NAME:N` arms one: the process is gone when it comes there for the Nth time (`NAME` alone is the
//! first). They lie before and after each step that must not be half done: writing to the journal, starting a build,
//! renaming a file, removing a copy.

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
    /// Before an event is in the journal.
    BeforeJournal,
    /// Once it is.
    AfterJournal,
    /// Before a build is started on a drone.
    BeforeStart,
    /// Once it runs there.
    AfterStart,
    /// Before a package gets its name in staging.
    BeforeAdmit,
    /// Once it has it.
    AfterAdmit,
    /// Before a job is removed from its drone.
    BeforeRemove,
    /// Once it is.
    AfterRemove,
    /// Before a release's directory gets its name.
    BeforeRelease,
    /// Once it has it.
    AfterRelease,
    /// Before production points to another release.
    BeforeSwap,
    /// Once it does.
    AfterSwap,
    /// Before a file gets its name on a host.
    BeforeRename,
    /// Once it has it.
    AfterRename,
    /// Once a channel was told of an alarm.
    AfterTelling,
}

impl Failpoint {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::BeforeJournal,
        Self::AfterJournal,
        Self::BeforeStart,
        Self::AfterStart,
        Self::BeforeAdmit,
        Self::AfterAdmit,
        Self::BeforeRemove,
        Self::AfterRemove,
        Self::BeforeRelease,
        Self::AfterRelease,
        Self::BeforeSwap,
        Self::AfterSwap,
        Self::BeforeRename,
        Self::AfterRename,
        Self::AfterTelling,
    ];

    /// Its name in `SWARM_FAILPOINT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeJournal => "before-journal",
            Self::AfterJournal => "after-journal",
            Self::BeforeStart => "before-start",
            Self::AfterStart => "after-start",
            Self::BeforeAdmit => "before-admit",
            Self::AfterAdmit => "after-admit",
            Self::BeforeRemove => "before-remove",
            Self::AfterRemove => "after-remove",
            Self::BeforeRelease => "before-release",
            Self::AfterRelease => "after-release",
            Self::BeforeSwap => "before-swap",
            Self::AfterSwap => "after-swap",
            Self::BeforeRename => "before-rename",
            Self::AfterRename => "after-rename",
            Self::AfterTelling => "after-telling",
        }
    }

    /// Ends the process here if this is the place.
    pub fn pass(self) {
        #[cfg(feature = "failpoints")]
        armed::pass(self);
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Failpoint;

    struct Armed {
        name: String,
        left: AtomicU32,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("SWARM_FAILPOINT").ok()?;
        let (name, number) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Armed { name: name.to_owned(), left: AtomicU32::new(number.parse().unwrap_or(1)) })
    });

    pub(super) fn pass(place: Failpoint) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == place.name()) else { return };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Nothing may run behind this: no destructor, no flush.
            let _gone = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
