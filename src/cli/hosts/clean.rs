//! `swarm hosts check --clean`: removes the job directories that are ours and over, and names the others.

use crate::core::names::{HostName, JobName};
use crate::core::state::State;
use crate::core::text::escaped;
use crate::drone::job::{self, JobDirectory};
use crate::drone::strays::{Fate, Keeper, Stray};
use crate::inventory::{Host, Inventory};
use crate::ssh;
use crate::store::Journal;

/// What our journal knows. It must be read after the drones' directories were listed: a job is written down before its
/// directory is made, so one that is listed and not in the journal has not just begun.
pub fn journal(inventory: &Inventory) -> anyhow::Result<State> {
    Ok(Journal::state_of(&inventory.swarm.state)?)
}

/// Cleans one drone; gives what was done, and whether all that is to go is gone.
pub async fn clean(host: &Host, connection: &dyn ssh::Host, strays: &[Stray], state: &State) -> (Vec<String>, bool) {
    let (mut lines, mut gone) = (Vec::new(), true);
    for stray in strays {
        let directory = JobDirectory { workdir: host.access.workdir.as_str().to_owned(), job: stray.job.clone() };
        let (name, job) = (&host.name, &stray.job);
        match stray.fate(state.controller.as_ref(), |job| state.jobs.contains_key(job)) {
            Fate::Remove => match job::remove(connection, &directory).await {
                Ok(()) => lines.push(format!("{name}: {job} is removed, {}", stray.size)),
                Err(error) => {
                    gone = false;
                    lines.push(format!("{name}: {job} stays: {}", escaped(&error.to_string())));
                }
            },
            Fate::Keep(keeper) => lines.extend(left(name, job, &keeper, &directory)),
        }
    }
    (lines, gone)
}

/// Why a directory is left, and what the operator can do; nothing is to be said of a job that goes on.
fn left(drone: &HostName, job: &JobName, keeper: &Keeper, directory: &JobDirectory) -> Option<String> {
    let by_hand = format!("`swarm exec --on {drone} -- rm -r {}/{job}`", directory.parent());
    let (reason, cure) = match keeper {
        Keeper::Books => return None,
        Keeper::Process => {
            ("still runs, though our journal has it as over", "the next `swarm push` ends and removes it".to_owned())
        }
        Keeper::Controller(controller) => {
            let cure = format!("clean there; where that one is no more and the job does not run, {by_hand}");
            return Some(format!("{drone}: {job} is left: it belongs to the controller {controller}\n  {cure}"));
        }
        Keeper::Nobody => ("has no manifest that says whose it is", format!("where nobody needs it, {by_hand}")),
    };
    Some(format!("{drone}: {job} is left: it {reason}\n  {cure}"))
}
