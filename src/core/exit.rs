//! The exit statuses of every verb (`docs/reference/commands.md` lists them), which runs of playbooks and alarms go by as
//! well.

use super::decide::End;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It could not be done.
    Impossible = 1,
    /// Some packages failed.
    SomeFailed = 3,
    /// No usable drone.
    NoDrone = 4,
    /// All drones differ from the driver.
    AllDiffer = 5,
    /// Another controller is at work.
    Busy = 6,
    /// Interrupted; builds go on.
    Interrupted = 130,
}

impl Exit {
    /// Done, where all of it could be done.
    pub fn done_if(good: bool) -> Self {
        if good { Self::Done } else { Self::Impossible }
    }

    /// What another `swarm` meant by its exit status; none where that is none of these.
    pub fn of_status(status: i32) -> Option<Self> {
        let all = [
            Self::Done,
            Self::Impossible,
            Self::SomeFailed,
            Self::NoDrone,
            Self::AllDiffer,
            Self::Busy,
            Self::Interrupted,
        ];
        all.into_iter().find(|exit| *exit as i32 == status)
    }
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        match end {
            End::Complete => Self::Done,
            End::SomeFailed => Self::SomeFailed,
            End::NoDrone => Self::NoDrone,
            End::AllDiffer => Self::AllDiffer,
            End::Forgotten => Self::Impossible,
        }
    }
}
