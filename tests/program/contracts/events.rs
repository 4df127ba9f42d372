//! Events: in the journal and its export, in the stream of a controller, in the lines of a push.

use std::collections::BTreeSet;

use serde_json::Value;
use swarm::controller::api::{Over, Told, noted, told, told_over};
use swarm::controller::now;
use swarm::core::event::Event;
use swarm::core::failure::FailureClass;
use swarm::core::status::DroneState;
use swarm::ui::event_line::{self, EventLine};

use super::Held;
use super::reference::schema;
use crate::plenty;
use crate::services::place::Place;

/// The kinds that a schema of an enumeration has.
fn kinds(schema: &Value) -> BTreeSet<String> {
    let variants = schema["oneOf"].as_array().unwrap();
    let names = variants.iter().flat_map(|variant| match (variant.get("const"), variant.get("enum")) {
        (Some(word), _) => vec![word.as_str().unwrap().to_owned()],
        (None, Some(words)) => words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
        (None, None) => variant["properties"].as_object().unwrap().keys().cloned().collect(),
    });
    names.collect()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn each_kind_of_event_is_as_its_schemas_say_wherever_it_is_written() {
    let events = plenty::events(now());
    let mut held = Held::default();
    held.root(&schema::<Event>());
    let written: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for event in &written {
        held.hold("an event", event.clone());
    }
    let there: BTreeSet<String> =
        written.iter().map(|event| event.as_object().unwrap().keys().next().unwrap().clone()).collect();
    assert_eq!(there, kinds(&schema::<Event>()), "each kind is in plenty.jsonl");

    held.root(&schema::<EventLine>());
    for event in &events {
        held.hold("a line of push --json", event_line::of(event, now()));
    }
    held.root(&schema::<Told>());
    let over = Over { build: "b1".parse().unwrap(), status: 3 };
    let others = [noted(now(), "a word"), told_over(now(), over)];
    let lines = events.iter().zip(1..).map(|(event, sequence)| told(sequence, now(), event)).chain(others);
    for line in lines {
        held.hold("what is told", parsed(&line.unwrap()));
    }
    held.assert_good();
}

#[test]
fn the_words_of_drones_and_failures_are_those_of_their_schemas() {
    assert_eq!(kinds(&schema::<DroneState>()), DroneState::ALL.map(|each| each.as_str().to_owned()).into());
    assert_eq!(kinds(&schema::<FailureClass>()), FailureClass::ALL.map(|each| each.as_str().to_owned()).into());
}

#[test]
fn the_journal_is_exported_an_event_a_line_from_wherever_one_wants() {
    let place = Place::new("", "");
    let export = |arguments: &[&str]| {
        let output = place.swarm(&[&["journal", "export"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(export(&[]), "", "nothing has happened");
    plenty::write(&place.path("state"), now());
    let all = export(&[]);
    let mut held = Held::default();
    held.root(&schema::<Told>());
    for (line, number) in all.lines().zip(1_i64..) {
        let value = parsed(line);
        assert_eq!(value["sequence"], number);
        held.hold("a line of the export", value);
    }
    held.assert_good();
    let count = plenty::events(now()).len();
    assert_eq!(all.lines().count(), count);
    let last = export(&["--after", &(count - 2).to_string()]);
    assert_eq!(last.lines().collect::<Vec<_>>(), all.lines().skip(count - 2).collect::<Vec<_>>());
}
