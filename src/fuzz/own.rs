//! What our own programs write and read again: the probe's answers, the journal.

use std::collections::BTreeMap;

use super::{assert_below, fuzz, roughly, shape};
use crate::core::decide::decide;
use crate::core::event::{Event, Selection};
use crate::core::explain::explain;
use crate::core::names::{BuildName, Timestamp};
use crate::core::plan::{PackageIndex, Plan};
use crate::core::simulation::{opened, plan};
use crate::core::state::State;
use crate::core::status::Status;
use crate::portage::index::{Index, Limits};
use crate::portage::parity;
use crate::portage::probe::{self, Offer, Offers};

const PACKAGE: &str = r#"{"cpv":"app-misc/NAME-1.0","slot":"0/2","repository":"gentoo","digest":"0123456789abcdef",
    "use":["nls","amd64"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2 -pipe"},
    "linked":[["dev-libs/beta","0/3"]],"binary":false,"requested":true,"masked":[],"live":true,"restricted":true,
    "module":["sys-kernel/sources"]}"#;
const WORDS: [&str; 20] = [
    "SWARM-PROBE-ANSWER\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "-1",
    "4294967296",
    "1e400",
    "\\u001b",
    "\\n",
    "\\ud800",
    "[0,1,[\"buildtime\"]]",
    "\"buildtime\"",
    "\"../x\"",
    "[[[[[[[[[[[[[[[[",
];

fn marked(body: &str) -> Vec<u8> {
    format!("Welcome\nSWARM-PROBE-ANSWER\n{body}\nSWARM-PROBE-ANSWER\n").into_bytes()
}

/// Whatever happens to a state, these can be asked of it.
fn look_at(state: &State) {
    // A month after the events: what jobs are overdue by is gone through step by step.
    let now = Timestamp(2_600_000);
    let decision = decide(state, now);
    let _status = serde_json::to_string(&Status::of(state, state.latest_build(), now)).unwrap();
    for build in state.builds.values() {
        for package in (0..build.packages.len().min(8)).map(PackageIndex::at) {
            assert!(!explain(state, build, package, now).is_empty());
        }
    }
    for start in decision.starts {
        assert_below(start.job.as_str());
        assert_below(start.drone.as_str());
    }
}

fn check_plan(plan: Plan) -> usize {
    let size = plan.packages.len();
    let needs = plan.needs();
    for (index, list) in needs.direct.iter().enumerate() {
        assert!(list.iter().all(|need| need.index() < index), "something comes before what it needs");
    }
    for package in &plan.packages {
        assert_below(package.identity.cpv.as_str());
        let identity = &package.identity;
        for (key, value) in identity.compiler.iter().chain([("", &*identity.repository), ("", &*identity.chost)]) {
            assert!(!key.contains(char::is_control) && !value.contains(char::is_control), "{key:?}: {value:?}");
        }
        assert!(identity.use_flags.iter().all(|flag| !flag.contains(|each: char| each.is_control() || each == ' ')));
    }
    let index = Index { header: plan.index_header.clone(), ..Index::default() };
    let read =
        Index::parse(index.to_text(Timestamp(1)).as_bytes(), Limits { keys: 10_000, ..Limits::default() }).unwrap();
    assert!(read.stanzas.is_empty() && read.rejected.is_empty(), "a header that holds packages");
    let event = Event::BuildOpened {
        build: "b1".parse().unwrap(),
        selection: Selection::World,
        plan,
        live: BTreeMap::new(),
        rebuild: false,
        at: Timestamp(1),
    };
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    let mut state = State::default();
    state.apply(&event).unwrap();
    look_at(&state);
    size
}

#[test]
fn plans_of_the_driver() {
    let packages: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| PACKAGE.replace("NAME", name)).collect();
    let body = format!(
        r#"{{"resolved":true,"packages":[{}],"edges":[[0,1,["buildtime"]],[1,2,["runtime","buildtime_slot_op"]],
        [2,1,["runtime_post"]],[3,0,["runtime"]]],"missing":["app-misc/gone"],"uninstalls":["app-misc/old-1"],
        "conflicts":[{{"packages":["app-misc/a-1.0","app-misc/old-1"],"installed":["app-misc/old-1"]}}],"header":{{"ARCH":"amd64","USE":"a b"}}}}"#,
        packages.join(",")
    );
    fuzz("plan", vec![marked(&body)], &WORDS, |input| match probe::read_resolution(input, b"words\x1b[2J") {
        Ok(resolution) => {
            let merges = resolution.merges.len();
            assert_eq!(check_plan(resolution.into_plan("capella".parse().unwrap())), merges);
            format!("{merges}")
        }
        Err(error) => shape(&error.to_string()),
    });
}

#[test]
fn offers_of_drones() {
    let body = format!(
        r#"{{"identities":[{},{{"trouble":"no such ebuild"}},null],"inherited":["eutils"],"packages":[{}]}}"#,
        PACKAGE.replace("NAME", "a"),
        PACKAGE.replace("NAME", "b")
    );
    fuzz("offers", vec![marked(&body)], &WORDS, |input| match probe::read_identities(input, b"", 3) {
        Ok(Offers { offers, lacking, .. }) => {
            assert_eq!(offers.len(), 3);
            lacking.iter().for_each(|identity| assert_below(identity.cpv.as_str()));
            let good = offers.iter().filter(|offer| matches!(offer, Offer::Identity(_))).count();
            for offer in offers {
                if let Offer::Identity(identity) = offer {
                    assert_below(identity.cpv.as_str());
                }
            }
            good.to_string()
        }
        Err(error) => shape(&error.to_string()),
    });
}

#[test]
fn configurations_of_hosts() {
    let driver = include_str!("../portage/parity/recorded/driver.json");
    let odd = include_str!("../portage/parity/recorded/odd.json");
    let measure = probe::read_survey(&marked(driver), b"").unwrap();
    fuzz("survey", vec![marked(driver), marked(odd)], &WORDS, |input| match probe::read_survey(input, b"") {
        Ok(configuration) => {
            let differences = parity::compare(&measure, &configuration);
            for one in &differences {
                assert!(!one.to_string().contains(char::is_control), "{one}");
            }
            assert_eq!(parity::compare(&configuration, &configuration), []);
            format!("{}", differences.len())
        }
        Err(error) => shape(&error.to_string()),
    });
}

/// A state with jobs, and the events that led from an open build to it.
fn lived() -> (State, Vec<Event>) {
    let mut state = opened(plan(5, &[(1, 0), (2, 1), (3, 4), (4, 3)]), &[(8, 2), (4, 1)]);
    let at = Timestamp(5);
    let mut events = Vec::new();
    for start in decide(&state, at).starts {
        let (job, package, drone, build_ids) = (start.job, start.package, start.drone, start.build_ids);
        events.push(Event::JobStarted { job, package, drone, build_ids, width: 1, why: None, at });
    }
    for event in &events {
        state.apply(event).unwrap();
    }
    let text = r#"[{"job_given_up":{"job":"build1-1","at":9}},{"job_back":{"job":"build1-1"}},
        {"package_received":{"job":"build1-1","package":0,"at":11,
            "file":{"path":"a/b","build_id":1,"stanza":{"CPV":"a/b-1"}}}},
        {"job_ended":{"job":"build1-1","outcome":"delivered","at":12}},
        {"job_ended":{"job":"build1-2","at":12,
            "outcome":{"failed":{"failure":{"class":"build","reason":"x"},"log":null}}}},
        {"job_found":{"job":"old-1","package":1,"drone":"drone0","build_id":4,"at":13}},
        {"build_ids_seen":{"highest":{"app-lab/package2x-1.0":7}}},{"release_seen":{"release":"000001-000001"}},
        {"drain_asked":{"drone":"drone1","drain":true,"at":14}},{"retry_asked":{"packages":[1,2],"at":15}},
        {"run_begun":{"lost_after":900,"at":16}},{"drone_ready":{"drone":"drone0","address":null}},
        {"build_finished":{"build":"build1","at":17}},{"epoch_claimed":{"epoch":9,"controller":"c","at":18}},
        {"build_forgotten":{"build":"build1","at":19}},
        {"run_started":{"run":"r-night","playbook":"night","due":19,"deadline":99,"at":20}},
        {"run_finished":{"run":"r-night","status":3,"reason":"x","at":21}}]"#;
    events.extend(serde_json::from_str::<Vec<Event>>(text).unwrap());
    (state, events)
}

#[test]
fn events_of_a_journal() {
    let (_, mut events) = lived();
    let another = Event::BuildOpened {
        build: "build2".parse().unwrap(),
        selection: Selection::World,
        plan: plan(3, &[(1, 0), (2, 0)]),
        live: BTreeMap::new(),
        rebuild: false,
        at: Timestamp(6),
    };
    events.push(another);
    let (build, at): (BuildName, _) = ("build3".parse().unwrap(), Timestamp(7));
    let (selection, wanted) = (Selection::World, plan(3, &[(1, 0), (2, 1)]));
    events.extend([
        Event::BuildQueued { build: build.clone(), selection, plan: wanted, finalize: false, rebuild: false, at },
        Event::FinalizeAsked { build: build.clone(), at },
        Event::QueuedBuildOpened { build, live: BTreeMap::new(), at },
    ]);
    let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let seeds = vec![lines.join("\n").into_bytes(), lines[lines.len() - 1].clone().into_bytes()];
    let begin = opened(plan(5, &[(1, 0), (2, 1), (3, 4), (4, 3)]), &[(8, 2), (4, 1)]);
    fuzz("events", seeds, &WORDS, |input| {
        let mut state = begin.clone();
        let text = String::from_utf8_lossy(input);
        let mut applied = 0;
        let mut fault = String::new();
        for line in text.lines() {
            let Ok(event) = serde_json::from_str::<Event>(line) else { continue };
            if let Err(error) = state.apply(&event) {
                fault = shape(&error.to_string());
                break;
            }
            applied += 1;
        }
        if fault.is_empty() {
            look_at(&state);
            let written = serde_json::to_string(&state).unwrap();
            let again: State = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), written);
        }
        format!("{} {fault}", roughly(applied))
    });
}

#[test]
fn snapshots_of_a_journal() {
    let (state, events) = lived();
    fuzz("snapshot", vec![serde_json::to_vec(&state).unwrap()], &WORDS, |input| {
        let Some(mut state) = State::of_snapshot(input) else { return String::new() };
        look_at(&state);
        let applied = events.iter().take_while(|event| state.apply(event).is_ok()).count();
        format!("{} {applied}", state.jobs.len())
    });
}
