//! The status, in each state that there is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use swarm::controller::now;
use swarm::core::failure::FailureClass;
use swarm::core::standby::{Copies, Following, Lag, StandbyView};
use swarm::core::state::State;
use swarm::core::status::{DroneState, Status};

use super::Held;
use super::reference::schema;
use crate::plenty;
use crate::services::place::Place;

/// The words under this key of the members of an object.
fn words(status: &Value, of: &str, key: &str) -> BTreeSet<String> {
    let members = status[of].as_object().unwrap().values();
    members.map(|member| member[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_status_is_as_its_schema_says_whatever_happens() {
    let mut held = Held::default();
    held.root(&schema::<Status>());
    let (mut state, mut classes) = (State::default(), BTreeSet::new());
    for event in plenty::events(now()) {
        state.apply(&event).unwrap();
        let mut status = Status::of(&state, None, now());
        let lag = Lag { events: 3, packages: 1, seconds: 40 };
        status.standbys = BTreeMap::from([("p".parse().unwrap(), StandbyView { lag, heard: None, away: true })]);
        status.copies = BTreeMap::from([("izar".parse().unwrap(), Copies { jobs: 1, bytes: 7 })]);
        let trouble = Some("no answer".to_owned());
        status.follows = Some(Following { leader: "o".parse().unwrap(), lag, heard: now(), trouble });
        let value = serde_json::to_value(&status).unwrap();
        classes.extend(words(&value, "failed", "class"));
        held.hold("a status", value);
    }
    held.assert_good();
    let last = serde_json::to_value(Status::of(&state, None, now())).unwrap();
    assert_eq!(words(&last, "drones", "state"), DroneState::ALL.map(|each| each.as_str().to_owned()).into());
    let own = FailureClass::ALL.into_iter().filter(|class| class.is_the_packages());
    assert_eq!(classes, own.map(|class| class.as_str().to_owned()).collect(), "each that gives a package up");
}

#[test]
fn swarm_status_says_what_its_schema_has() {
    let place = Place::new("", "");
    let mut held = Held::default();
    held.root(&schema::<Status>());
    let mut look = || {
        let output = place.swarm(&["status", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        held.hold("swarm status --json", serde_json::from_slice(&output.stdout).unwrap());
    };
    look();
    plenty::write(&place.path("state"), now());
    look();
    held.assert_good();
}
