//! Repeats a step on a drone that the connection was lost in, for as long as anybody wants it done.
//!
//! When to stop waiting is not decided here: the loop gives a job up, or drops its task. Each loss makes the drone's
//! keeper look at once, so that everybody learns of it, not only whoever was in the middle of something.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Notify;

use crate::pause::Pauses;
use crate::ssh::{HostError, HostErrorKind};

/// The first pause before a lost step is repeated; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Whether this trouble may pass without anybody changing what is asked for.
pub fn may_pass(kind: HostErrorKind) -> bool {
    match kind {
        HostErrorKind::Lost | HostErrorKind::Unreachable | HostErrorKind::Refused | HostErrorKind::Authentication => {
            true
        }
        HostErrorKind::Failed | HostErrorKind::NoSpace | HostErrorKind::Local => false,
    }
}

/// Does a step until it succeeds or fails for another reason than a lost or refused connection.
///
/// # Errors
/// What the host or this side answered.
pub async fn persist<T, Step, Answer>(doubt: &Notify, mut step: Step) -> Result<T, HostError>
where
    Step: FnMut() -> Answer,
    Answer: Future<Output = Result<T, HostError>>,
{
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match step().await {
            Err(error) if may_pass(error.kind) => doubt.notify_one(),
            answer => return answer,
        }
        tokio::time::sleep(pauses.next()).await;
    }
}
