//! What is known, for the verbs that only look: read from the journal here, or asked of the controller elsewhere.

use crate::controller::remote::{self, Remote};
use crate::core::state::State;
use crate::inventory::Inventory;
use crate::store::Journal;
use crate::ui::table::tell;

/// All that is known; none where nothing has happened yet.
pub async fn state(inventory: &Inventory) -> anyhow::Result<Option<State>> {
    if let Some(elsewhere) = Remote::to_look(inventory)? {
        return Ok(Some(remote::state(&elsewhere, |text| tell(text)).await?));
    }
    let journal = Journal::open_to_read(&inventory.swarm.state)?;
    Ok(journal.map(|journal| journal.replay()).transpose()?)
}

/// Refuses what looks at files of the controller, which are elsewhere.
pub fn require_here(inventory: &Inventory, what: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        Remote::to_look(inventory)?.is_none(),
        "{what} on the orchestrator, which is the controller: run this there"
    );
    Ok(())
}
