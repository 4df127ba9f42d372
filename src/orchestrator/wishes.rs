//! What is asked of the controller of this host: told to it where one is at work, else done here with the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::books::Books;
use super::worker::{MayBegin, Reins};
use crate::controller::publish::{self, Whom};
use crate::controller::socket::{self, Reply};
use crate::controller::verb::{self, Answer, Verb};
use crate::controller::{ControlError, Observer, Session};
use crate::core::event::Event;
use crate::core::names::Timestamp;
use crate::core::state::State;
use crate::inventory::Inventory;
use crate::store::LockError;

/// A controller that is just beginning or ending is waited for so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a wish is not granted.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// Another orchestrator decides.
    #[error("this orchestrator does not lead: ask again, the gateway knows the one that does")]
    Elsewhere,
    /// The controller says no, or cannot.
    #[error(transparent)]
    Refused(#[from] ControlError),
}

impl WishError {
    /// The status of the answer that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Elsewhere => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(error) if error.is_of_another() => StatusCode::LOCKED,
            Self::Refused(_) => StatusCode::CONFLICT,
        }
    }
}

/// Grants wishes.
pub struct Wishes {
    inventory: Arc<Inventory>,
    books: Arc<Books>,
    reins: Reins,
    may_begin: MayBegin,
    /// Held by whoever does something here.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Wishes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Wishes").field("books", &self.books).finish_non_exhaustive()
    }
}

impl Wishes {
    /// Those of the controller of this inventory's state directory, whose worker has these reins.
    pub fn new(inventory: Arc<Inventory>, books: Arc<Books>, reins: Reins, may_begin: MayBegin) -> Self {
        Self { inventory, books, reins, may_begin, turn: Mutex::default() }
    }

    /// What the journal says.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Has it done.
    ///
    /// # Errors
    /// It does not fit what is there, another orchestrator decides, or something else than a controller of ours holds
    /// the state directory.
    pub async fn grant(&self, wish: &Verb) -> Result<Answer, WishError> {
        if !(self.may_begin)() {
            return Err(WishError::Elsewhere);
        }
        let directory = &self.inventory.swarm.state;
        let begun = Instant::now();
        loop {
            let waited = match socket::try_tell(directory, wish).await? {
                Reply::Done(answer) => {
                    self.done().await;
                    return Ok(answer);
                }
                Reply::Ending(why) => ControlError::Refused(why),
                Reply::Nobody => match self.here(wish).await {
                    Err(WishError::Refused(error @ ControlError::Lock(LockError::Busy { .. }))) => error,
                    done => {
                        self.done().await;
                        return done;
                    }
                },
            };
            if begun.elapsed() > PATIENCE {
                return Err(waited.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn done(&self) {
        self.books.expire().await;
        self.reins.nudge();
    }

    /// Takes the place of a controller for a moment. That belongs to one thread.
    async fn here(&self, wish: &Verb) -> Result<Answer, WishError> {
        let _turn = self.turn.lock().await;
        // The place may have gone while that was waited for.
        if !(self.may_begin)() {
            return Err(WishError::Elsewhere);
        }
        let wish = wish.clone();
        Ok(in_session(&self.inventory, async move |session| answer(session, &wish).await).await?)
    }
}

/// Does something as the controller of this host, whose leases end with it. A session belongs to one thread.
pub(super) async fn in_session<T: Send + 'static>(
    inventory: &Inventory,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    let (inventory, runtime) = (inventory.clone(), Handle::current());
    let done = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let mut session = Session::open(inventory, Box::new(Log)).await?;
            let done = work(&mut session).await;
            session.close_after(done).await
        })
    });
    done.await.map_err(|error| {
        ControlError::Refused(format!(
            "what was asked for broke off: {error}; this is a fault of swarm, please report it"
        ))
    })?
}

async fn answer(session: &mut Session, wish: &Verb) -> Result<Answer, ControlError> {
    let mut answer = verb::carry_out(session, wish).await?;
    if wish.releases()
        && let Some(publication) = publish::everywhere(session, Whom::All).await?
    {
        answer.lines.extend(publication.lines());
        answer.trouble |= !publication.is_good();
    }
    Ok(answer)
}

/// What a service is told goes to its log.
struct Log;

impl Observer for Log {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}

    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }
}
