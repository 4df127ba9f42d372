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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::names::Timestamp;
    use crate::core::state::State;
    use crate::inventory::Surroundings;
    use crate::store::{Journal, Lock};

    #[tokio::test]
    async fn what_the_journal_says_is_told_once_where_the_place_is_here_and_nobody_is_at_work() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let text = format!(
            "[swarm]\ndriver = \"local\"\nstate = {:?}\nstaging = {:?}\nproduction = {:?}\n\
             [notify.kept]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
            path("state"),
            path("staging"),
            path("production"),
            path("told").display(),
        );
        let surroundings = Surroundings { home: Some(path("home")), ..Surroundings::default() };
        let inventory = Inventory::parse_at(&[("fleet.toml".into(), text)], surroundings).unwrap();
        let low = Event::DiskLow { what: path("staging"), free: 1 << 20, at: Timestamp(0) };
        Journal::open(&path("state")).unwrap().append(&State::default(), &low, Timestamp(0)).unwrap();
        let books = Books::new(path("state"), path("production"));
        let may_begin = |here: bool| -> MayBegin { Arc::new(move || here) };

        look(&inventory, &books, &may_begin(false)).await.unwrap();
        let at_work = Lock::take(&path("state")).unwrap();
        look(&inventory, &books, &may_begin(true)).await.unwrap();
        assert!(!path("told").exists());
        drop(at_work);
        for _ in 0..3 {
            look(&inventory, &books, &may_begin(true)).await.unwrap();
        }
        let told = std::fs::read_to_string(path("told")).unwrap();
        assert_eq!(told.matches("is nearly full").count(), 1, "{told}");
    }
}
