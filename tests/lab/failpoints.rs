//! The controller is ended as by `kill -9` at every named place in turn; the next push goes on as if nothing had been.

use swarm::failpoint::Failpoint;

use super::laboratory::Laboratory;

/// What is pushed, and where.
struct Push {
    atom: &'static str,
    brings: &'static [&'static str],
    drones: &'static [&'static str],
}

/// A run that passes a place more often than this has gone astray.
const MOST: u32 = 200;

/// Pushes with this place armed, goes on after the end, and looks at what is left. False where the run never came
/// there that often.
fn dies_and_goes_on(lab: &Laboratory, push: &Push, place: Failpoint, number: u32) -> bool {
    let drones = push.drones.join(",");
    let arguments = ["push", "--finalize", "--on", &drones, push.atom];
    let armed = format!("{}:{number}", place.name());
    lab.start_afresh(push.drones);
    let first = lab.swarm_with("SWARM_FAILPOINT", &armed, &arguments);
    let died = first.status == -1;
    if !died {
        first.gives(0, &["is live"]);
    }
    let before = lab.status();
    let second = lab.swarm(&arguments);
    assert_eq!(second.status, 0, "after {armed}, with {before}:\n{}\nand then\n{}", first.said, second.said);

    let compiled = lab.compiled();
    assert!(compiled.values().all(|hosts| hosts.len() == 1), "after {armed}: {compiled:?}\n{}", second.said);
    assert_eq!(compiled.keys().map(String::as_str).collect::<Vec<_>>(), push.brings, "after {armed}");
    let status = lab.status();
    let received: Vec<_> = status["received"].as_array().unwrap().iter().filter_map(|cpv| cpv.as_str()).collect();
    assert_eq!(received.len(), push.brings.len(), "after {armed}: {status}");
    for none in ["needed", "delegated", "failed", "blocked"] {
        let count = status[none].as_array().map_or_else(|| status[none].as_object().unwrap().len(), Vec::len);
        assert_eq!(count, 0, "after {armed}, {none}: {status}");
    }
    let index = std::fs::read_to_string(lab.controller("production/Packages")).unwrap();
    for cpv in push.brings {
        assert!(index.contains(&format!("CPV: {cpv}\n")), "after {armed}: {index}");
    }
    for drone in push.drones {
        lab.on(drone, "test -z \"$(ls /var/lib/swarm/jobs 2>/dev/null)\"").gives(0, &[]);
    }
    died
}

#[test]
fn a_controller_that_is_killed_at_any_named_place_leaves_all_that_the_next_push_needs() {
    let lab = Laboratory::up("failpoints");
    let push = Push { atom: "dev-lab/libbase", brings: &["dev-lab/libbase-1.0"], drones: &["drone-izar"] };
    // A push that goes well tells nobody; `tests/program/notify` has the other place.
    for place in Failpoint::ALL.into_iter().filter(|place| *place != Failpoint::AfterTelling) {
        assert!(dies_and_goes_on(&lab, &push, place, 1), "{} is never passed", place.name());
    }
}

#[test]
#[ignore = "takes a quarter of an hour"]
fn a_controller_that_is_killed_at_any_passage_of_any_named_place_leaves_all_that_the_next_push_needs() {
    let lab = Laboratory::up("failpoints-all");
    let brings = &["dev-lab/libbar-1.0", "dev-lab/libbase-1.0"];
    let push = Push { atom: "dev-lab/libbar", brings, drones: &["drone-izar", "drone-vega"] };
    let mut kills = 0;
    for place in Failpoint::ALL {
        kills += (1..MOST).take_while(|number| dies_and_goes_on(&lab, &push, place, *number)).count();
    }
    eprintln!("{kills} kills");
    assert!(kills > 3 * Failpoint::ALL.len(), "{kills}");
}
