//! The names that a shell can complete: hosts, playbooks, releases, builds and packages, as they are at the moment.
//!
//! Whoever presses a key wants no message: what cannot be read offers nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::core::state::State;
use crate::inventory::{Host, Inventory, Role, locate};
use crate::playbook::runs::Runs;
use crate::playbook::shelf::Shelf as Playbooks;
use crate::release::Shelf;
use crate::store::Journal;

/// Hosts, tags and networks; behind a comma another one.
pub fn hosts() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| selection(current, |_| true))
}

/// The same of drones alone.
pub fn drones() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| selection(current, |host| matches!(host.role, Role::Drone(_))))
}

/// Orchestrators, by name.
pub fn orchestrators() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let inventory = inventory();
        let names = inventory.iter().flat_map(Inventory::orchestrators).map(|(host, _)| host.name.to_string());
        candidates(names)
    })
}

/// Channels by which alarms are told.
pub fn channels() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        candidates(inventory().iter().flat_map(Inventory::channels).map(|channel| channel.name.to_string()))
    })
}

/// Playbooks, by name.
pub fn playbooks() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(playbook_names()))
}

/// Playbooks and recorded runs.
pub fn runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let ids = inventory().and_then(|inventory| Runs::of(&inventory.swarm.state).ids().ok()).unwrap_or_default();
        candidates(playbook_names().into_iter().chain(ids.into_iter().map(|id| id.to_string())))
    })
}

/// Kept releases.
pub fn releases() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let shelf = inventory().and_then(|inventory| Shelf::look(&inventory.swarm.production).ok());
        let list = shelf.and_then(|shelf| shelf.list().ok()).unwrap_or_default();
        candidates(list.into_iter().map(|release| release.name.to_string()))
    })
}

/// Builds that are known, and those that wait for their turn.
pub fn builds() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let state = state();
        let queued = state.queue.iter().map(|queued| queued.name.to_string());
        candidates(state.builds.keys().map(ToString::to_string).chain(queued))
    })
}

/// Packages of the open or the latest build.
pub fn packages() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let state = state();
        candidates(state.latest_build().into_iter().flat_map(|build| build.labels.iter().map(ToString::to_string)))
    })
}

/// Packages of which builds are known.
pub fn built_packages() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(state().history.packages().map(ToString::to_string)))
}

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The last item of a selection, behind what is there already.
fn selection(current: &OsStr, may: impl Fn(&Host) -> bool) -> Vec<CompletionCandidate> {
    let (Some(current), Some(inventory)) = (current.to_str(), inventory()) else { return Vec::new() };
    let (before, item) = current.rfind(',').map_or(("", current), |comma| current.split_at(comma + 1));
    let (not, item) = item.strip_prefix('!').map_or(("", item), |item| ("!", item));
    let hosts: Vec<&Host> = inventory.hosts().filter(|host| may(host)).collect();
    let names = hosts.iter().map(|host| host.name.to_string());
    let tags = hosts.iter().flat_map(|host| &host.tags).map(|tag| format!("@{tag}"));
    let networks = hosts.iter().filter_map(|host| inventory.network_of(host)).map(|network| format!("%{network}"));
    let mut words: Vec<String> = names.chain(tags).chain(networks).filter(|word| word.starts_with(item)).collect();
    words.sort();
    words.dedup();
    candidates(words.into_iter().map(|word| format!("{before}{not}{word}")))
}

/// The inventory that the words on the line name, or the usual one.
fn inventory() -> Option<Inventory> {
    Inventory::find(inventory_option().as_deref()).ok()
}

fn inventory_option() -> Option<PathBuf> {
    option_of(std::env::args_os())
}

/// What `--inventory PATH`, or `--inventory=PATH`, says among these words.
fn option_of(words: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.into_iter();
    words
        .find_map(|word| match word.as_bytes().strip_prefix(b"--inventory=") {
            Some(path) => Some(Some(OsStr::from_bytes(path).into())),
            None => (word == "--inventory").then_some(None),
        })?
        .or_else(|| words.next().map(PathBuf::from))
}

fn playbook_names() -> Vec<String> {
    let place = locate::place(inventory_option().as_deref()).ok();
    Playbooks::new(place.as_deref()).all().unwrap_or_default().into_keys().collect()
}

fn state() -> State {
    inventory().and_then(|inventory| Journal::state_of(&inventory.swarm.state).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inventory_is_the_one_that_the_line_names_in_either_form() {
        for (line, path) in [
            ("swarm --inventory here drain ", Some("here")),
            ("swarm --inventory=here drain ", Some("here")),
            ("swarm drain --inventory", None),
            ("swarm drain --inventories here", None),
            ("swarm drain", None),
        ] {
            let words = line.split_whitespace().map(OsString::from);
            assert_eq!(option_of(words), path.map(PathBuf::from), "{line}");
        }
    }
}
