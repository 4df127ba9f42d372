//! `swarm hosts check --clean`: removes the job directories that are ours and over, and names the others.

use crate::controller::now;
use crate::core::names::{ControllerName, HostName, JobName};
use crate::core::state::State;
use crate::core::text::escaped;
use crate::drone::job::{self, JobDirectory};
use crate::drone::strays::{Fate, Keeper, Stray};
use crate::inventory::{Host, Inventory};
use crate::ssh;
use crate::standby::view::View;
use crate::store::{Journal, name};

/// What is known here of jobs.
#[derive(Debug)]
pub struct Books {
    state: State,
    /// Who we are: a journal that was copied has another controller's name.
    own: Option<ControllerName>,
    /// Whether a standby lacks what was received last.
    awaited: bool,
}

/// What our journal knows. It must be read after the drones' directories were listed: a job is written down before its
/// directory is made, so one that is listed and not in the journal has not just begun.
pub fn books(inventory: &Inventory) -> anyhow::Result<Books> {
    let directory = &inventory.swarm.state;
    let state = Journal::state_of(directory)?;
    let own = state.controller.as_ref().map(|known| name::own(directory, Some(known))).transpose()?;
    Ok(Books { state, own, awaited: View::new(inventory, None).is_awaited(now())? })
}

/// Cleans one drone, unless it is only to be said what would go; gives what was done, and whether all that is to go is
/// gone, or would be.
pub async fn clean(
    host: &Host,
    connection: &dyn ssh::Host,
    strays: &[Stray],
    books: &Books,
    dry_run: bool,
) -> (Vec<String>, bool) {
    let (mut lines, mut gone) = (Vec::new(), true);
    for stray in strays {
        let directory = JobDirectory { workdir: host.access.workdir.as_str().to_owned(), job: stray.job.clone() };
        let (name, job) = (&host.name, &stray.job);
        match stray.fate(books.own.as_ref(), |job| books.state.jobs.contains_key(job)) {
            Fate::Remove if books.awaited => lines.push(format!(
                "{name}: {job} stays: a standby may lack its package\n  once `swarm status` says that it has everything, \
                 the same command removes it"
            )),
            Fate::Remove if dry_run => lines.push(format!("{name}: {job} would be removed, {}", stray.size)),
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
