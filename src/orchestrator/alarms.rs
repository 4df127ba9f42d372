//! Has somebody told what is wrong while no controller is at work, which else does that by itself.

use std::sync::Arc;
use std::time::Duration;

use super::books::Books;
use super::wishes::in_session;
use super::worker::MayBegin;
use crate::controller::{alarms, now, socket};
use crate::inventory::Inventory;
use crate::store::LockError;

/// Looks once a minute, for as long as it is not dropped.
pub(super) async fn look_after(inventory: Arc<Inventory>, books: Arc<Books>, may_begin: MayBegin) {
    loop {
        tokio::time::sleep(Duration::from_secs(alarms::INTERVAL)).await;
        if let Err(error) = look(&inventory, &books, &may_begin).await {
            tracing::error!("what is wrong cannot be told: {error}");
        }
    }
}

/// Takes the controller's place for a moment, where there is something to do and nobody is at work.
async fn look(
    inventory: &Inventory,
    books: &Books,
    may_begin: &MayBegin,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if !may_begin() || socket::at_work(&inventory.swarm.state).await?.is_some() {
        return Ok(());
    }
    if !alarms::is_due(&books.read().await?.state, inventory, now()) {
        return Ok(());
    }
    // All that is to be done is done when a session ends.
    let told = in_session(inventory, async |_| Ok(())).await;
    books.expire().await;
    match told {
        // Whoever begins just now looks by himself.
        Err(crate::controller::ControlError::Lock(LockError::Busy { .. })) => Ok(()),
        told => Ok(told?),
    }
}
