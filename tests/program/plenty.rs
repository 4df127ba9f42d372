//! A journal in which everything has happened: every kind of event, every state of a drone, every class of failure.

use std::path::Path;

use serde_json::Value;
use swarm::core::event::Event;
use swarm::core::names::Timestamp;
use swarm::core::state::State;
use swarm::store::Journal;

/// An event a line. Moments are counted from now, in seconds; `PLAN(DRIVER,NAMES)` and `FILE(NAME)` stand for what is
/// long and always alike. The second package of a plan needs the first to build.
const EVENTS: &str = include_str!("plenty.jsonl");
/// The keys of moments.
const MOMENTS: [&str; 3] = ["at", "due", "deadline"];

fn plan(driver: &str, names: &[&str]) -> String {
    let packages: Vec<String> = names.iter().map(|name| package(name)).collect();
    let edges = if names.len() > 1 { r#"[{"from":1,"to":0,"kinds":["buildtime"]}]"# } else { "[]" };
    format!(
        r#"{{"driver":"{driver}","packages":[{}],"edges":{edges},"index_header":{{"ARCH":"amd64"}},"warnings":["a word"]}}"#,
        packages.join(",")
    )
}

fn package(name: &str) -> String {
    format!(
        r#"{{"identity":{{"cpv":"app-lab/{name}-1.0","slot":{{"slot":"0","sub_slot":"2"}},"repository":"gentoo",
        "ebuild_digest":"0123","use_flags":["nls"],"chost":"x86_64-pc-linux-gnu","compiler":{{"CFLAGS":"-O2"}},
        "linked":[["dev-libs/l",{{"slot":"0","sub_slot":"3"}}]]}},"requested":true,
        "oddities":[{{"live":{{"by_name":true}}}},"not_to_be_passed_on",{{"kernel_module":{{"with":["sys-kernel/s"]}}}}]}}"#
    )
}

fn file(name: &str) -> String {
    format!(
        r#"{{"path":"app-lab/{name}/{name}-1.0-1.gpkg.tar","build_id":1,
        "stanza":{{"CPV":"app-lab/{name}-1.0","SIZE":"1000"}},"imprint":{{"inode":7,"modified_ns":1790000000000000001}}}}"#
    )
}

/// What stands for something long is put in.
fn whole(line: &str) -> String {
    let Some((before, rest)) = line.split_once("PLAN(").or_else(|| line.split_once("FILE(")) else {
        return line.to_owned();
    };
    let (inside, after) = rest.split_once(')').unwrap();
    let long = match inside.split_once(',') {
        Some((driver, names)) => plan(driver, &names.split(' ').collect::<Vec<_>>()),
        None => file(inside),
    };
    whole(&format!("{before}{long}{after}"))
}

fn set_moments(value: &mut Value, now: i64) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_i64() {
                    Some(ago) if MOMENTS.contains(&key.as_str()) => *value = (now + ago).into(),
                    _ => set_moments(value, now),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| set_moments(value, now)),
        _ => {}
    }
}

/// The events, in their order.
pub fn events(now: Timestamp) -> Vec<Event> {
    let event = |line: &str| {
        let mut value: Value = serde_json::from_str(&whole(line)).unwrap_or_else(|error| panic!("{error}: {line}"));
        set_moments(&mut value, now.0);
        serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    EVENTS.lines().map(event).collect()
}

/// Writes them into the journal of a state directory; what they come to.
pub fn write(directory: &Path, now: Timestamp) -> State {
    append(directory, &events(now), now)
}

/// Writes more of them.
pub fn append(directory: &Path, events: &[Event], now: Timestamp) -> State {
    let mut journal = Journal::open(directory).unwrap();
    let mut state = journal.replay().unwrap();
    for event in events {
        state.apply(event).unwrap();
        journal.append(&state, event, now).unwrap();
    }
    state
}
