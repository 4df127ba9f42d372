//! Events for the tests of the journal.

use super::Journal;
use crate::core::event::{DroneSpec, Event};
use crate::core::names::{Epoch, Timestamp};
use crate::core::state::State;

pub fn claim(epoch: u64, controller: &str) -> Event {
    let (controller, at) = (controller.parse().unwrap(), Timestamp(epoch as i64));
    Event::EpochClaimed { epoch: Epoch(epoch), controller, voters: [].into(), at }
}

pub fn fleet(cores: u32) -> Event {
    let name = "izar".parse().unwrap();
    Event::FleetDeclared { drones: vec![DroneSpec { name, cores, jobs: None, memory_mib: None }] }
}

pub fn write(journal: &mut Journal, state: &mut State, event: &Event) {
    state.apply(event).unwrap();
    journal.append(state, event, Timestamp(7)).unwrap();
}
