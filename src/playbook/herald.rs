//! Tells the controller of runs, wherever it is: at its socket, elsewhere through the gateway, or in its place for a
//! moment where none is at work.

use std::path::Path;
use std::time::Duration;

use crate::controller::remote::Remote;
use crate::controller::socket::{self, Reply};
use crate::controller::verb::{self, Verb};
use crate::controller::{ControlError, Observer, Session};
use crate::core::event::Event;
use crate::core::names::Timestamp;
use crate::core::state::State;
use crate::inventory::Inventory;

/// Another command may have the controller's place for a moment: it is tried so often,
const TRIES: u32 = 40;
/// with such pauses.
const PAUSE: Duration = Duration::from_millis(500);

/// Whoever begins a run says so itself.
struct Silent;

impl Observer for Silent {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}
    fn note(&mut self, _text: &str) {}
}

/// Has these written down, one after the other; `inventory` says where it is read from.
///
/// # Errors
/// In words: nobody could be told.
pub async fn tell(inventory: Option<&Path>, wishes: &[Verb]) -> Result<(), String> {
    for wish in wishes {
        tell_one(inventory, wish).await?;
    }
    Ok(())
}

async fn tell_one(inventory: Option<&Path>, wish: &Verb) -> Result<(), String> {
    let mut tries = 0;
    loop {
        let told = attempt(inventory, wish).await?;
        tries += 1;
        match told {
            Told::Heard => return Ok(()),
            Told::Busy(why) if tries == TRIES => return Err(why),
            Told::Busy(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

enum Told {
    Heard,
    /// Somebody has the controller's place who does not listen, or not any more.
    Busy(String),
}

async fn attempt(place: Option<&Path>, wish: &Verb) -> Result<Told, String> {
    let inventory = Inventory::find(place).map_err(|error| error.to_string())?;
    if let Some(elsewhere) = Remote::of(&inventory).map_err(|error| error.to_string())? {
        return match elsewhere.tell(wish).await {
            Ok(_) => Ok(Told::Heard),
            Err(error) if error.unheard() => Ok(Told::Busy(error.to_string())),
            Err(error) => Err(error.to_string()),
        };
    }
    match socket::try_tell(&inventory.swarm.state, wish).await.map_err(|error| error.to_string())? {
        Reply::Done(_) => return Ok(Told::Heard),
        Reply::Ending(why) => return Ok(Told::Busy(why)),
        Reply::Nobody => {}
    }
    let mut session = match Session::open(inventory, Box::new(Silent)).await {
        Ok(session) => session,
        Err(error @ ControlError::Lock(_)) if error.is_of_another() => return Ok(Told::Busy(error.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let told = verb::carry_out(&mut session, wish).await;
    // What was held back while the run was under way is told now.
    session.close_after(told).await.map(|_| Told::Heard).map_err(|error| error.to_string())
}
