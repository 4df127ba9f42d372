//! What is odd in a plan: cycles, blockers, holes in the world, live versions, kernel modules, users.

use std::path::Path;

use serde_json::{Value, json};
use swarm::portage::probe::{self, Offer, Request};

use super::laboratory::Laboratory;

const DRONES: [&str; 3] = ["drone-izar", "drone-tarn", "drone-vega"];

/// The driver as the recorded answers have it: what is installed, and what it wants.
const DRIVER: &str = "emerge --quiet --oneshot =dev-lab/compiler-1 app-lab/oldtool virtual/kernel && \
    printf '%s\\n' app-lab/cat app-lab/cellar app-lab/control app-lab/dog app-lab/gone app-lab/private app-lab/purist \
    app-lab/tip app-lab/toolbox app-lab/unsatisfied dev-lab/compiler >/var/lib/portage/world";

/// What is asked and kept in `src/portage/probe/recorded`.
const RECORDED: [(&str, &[&str]); 7] = [
    ("world", &["--update", "--deep", "--newuse", "@world"]),
    ("cycle", &["dev-lab/compiler"]),
    ("blocked", &["app-lab/cat", "app-lab/dog", "app-lab/purist"]),
    ("uninstall", &["app-lab/newtool"]),
    ("module", &["app-lab/module", "app-lab/control"]),
    ("slots", &["=app-lab/hello-1.0", "=app-lab/hello-1.1-r1"]),
    ("slots-solved", &["app-lab/conservative", "dev-lab/libbaz"]),
];

/// Holds a recorded answer against that of real Portage; with SWARM_RECORD in the environment it is written anew.
fn check_recorded(lab: &Laboratory, name: &str, wanted: &[&str]) {
    let fixed = ["--pretend", "--usepkg=n", "--with-bdeps=y", "--autounmask=n"];
    let arguments = fixed.iter().chain(wanted).map(|argument| (*argument).to_owned()).collect();
    let script = probe::script(&Request::Plan { arguments });
    let said = lab.on("capella", &format!("{{ {script}\n}} 2>/tmp/words")).said;
    let answer = said.split("SWARM-PROBE-ANSWER\n").nth(1).unwrap();
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    // It holds the moment, and is of no interest here.
    answer["header"] = json!({});
    if answer["resolved"] == json!(false) {
        answer["words"] = json!(lab.on("capella", "grep -v took /tmp/words").said);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/portage/probe/recorded/{name}.json"));
    if std::env::var_os("SWARM_RECORD").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, serde_json::to_string_pretty(&answer).unwrap() + "\n").unwrap();
    }
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(
        answer == recorded,
        "{name} is not what Portage says: run it with SWARM_RECORD=1, then `git diff` shows why"
    );
}

/// What real Portage there would build is told by the digest that is made here of the plan.
fn assert_tells_only_what_is_otherwise(lab: &Laboratory, drone: &str) {
    let said = |host: &str, request: &Request| lab.on(host, &probe::script(request)).said;
    let arguments = ["--pretend", "--usepkg=n", "--with-bdeps=y", "app-lab/cat", "app-lab/hello", "dev-lab/compiler"];
    let planned = said("capella", &Request::Plan { arguments: arguments.map(str::to_owned).into() });
    let mut plan = probe::read_resolution(planned.as_bytes(), b"").unwrap().into_plan("capella".parse().unwrap());
    let last = plan.packages.len() - 1;
    plan.packages[last].identity.use_flags = ["odd".to_owned()].into_iter().collect();
    let answer = said(drone, &probe::request_of_drone(&plan, false));
    let offers = probe::read_identities(answer.as_bytes(), b"", plan.packages.len()).unwrap().offers;
    let otherwise: Vec<_> = (0..=last).filter(|place| offers[*place] != Offer::AsPlanned).collect();
    assert!(otherwise == [last] && matches!(offers[last], Offer::Identity(_)), "{offers:?}");
}

#[test]
fn whatever_is_odd_about_a_package_is_said_and_the_world_is_built_all_the_same() {
    let lab = Laboratory::up("oddities");
    let emerge = ["emerge", "--quiet", "--oneshot", "app-lab/oldtool"];
    let installing = DRONES.map(|drone| lab.on_beside(drone, &emerge));
    lab.on("capella", DRIVER).gives(0, &[]);
    for installing in installing {
        assert!(installing.wait_with_output().unwrap().status.success());
    }
    // A drone that by itself would pack no live version.
    lab.on("drone-izar", "echo 'FEATURES=\"${FEATURES} -buildpkg-live\"' >>/etc/portage/make.conf").gives(0, &[]);
    lab.lab(&["forget"]);
    for (name, wanted) in RECORDED {
        check_recorded(&lab, name, wanted);
    }
    assert_tells_only_what_is_otherwise(&lab, "drone-vega");
    lab.edit_inventory(|text| text.replace("driver = ", "exclude = ['sys-kernel/*']\ndriver = "));

    let notes = [
        "app-lab/gone is wanted by the world file or a set, and nothing satisfies it",
        "app-lab/unsatisfied is wanted by the world file or a set, and nothing satisfies it",
        "app-lab/cat-1.0 and app-lab/dog-1.0 block each other: each is built",
        "app-lab/oldtool-1 (installed on capella) and app-lab/purist-1 block each other",
        "build locally (`exclude` in the inventory, or needs that to build): app-lab/module-1",
        "app-lab/control-1 is built here, and runs with what is built locally: app-lab/module-1",
    ];
    let oddities = [
        "dev-lab/crt-2 is built before dev-lab/compiler-2, which it needs to build",
        "app-lab/private-1 may not be passed on",
        "app-lab/tip-9999 is a live version",
    ];
    let said = [&notes[..], &oddities].concat();
    lab.swarm(&["plan", "--world"]).gives(0, &said);
    let with = &["plan", "--world", "--with-drone", "cores=64", "--with-drone", "cores=2,jobs=1"];
    lab.swarm(with).gives(0, &["with another drone (cores=64): about", "with another drone (cores=2,jobs=1): about"]);
    lab.swarm(&["push", "--world"]).gives(
        0,
        &[
            &said[..],
            &["14 received, 0 failed", "lacks dev-lab/compiler-1 for dev-lab/crt-2: fed as the driver has it"],
        ]
        .concat(),
    );
    lab.swarm(&["status"]).gives(0, &notes);
    assert_eq!(lab.status()["warnings"].as_array().unwrap().len(), 7, "{}", lab.status());
    lab.swarm(&["explain", "crt"]).gives(0, &[oddities[0], "with what capella has installed of dev-lab/compiler"]);
    let compiled = lab.compiled();
    assert!(compiled.values().all(|hosts| hosts.len() == 1), "{compiled:?}");
    assert!(!compiled.contains_key("app-lab/module-1"), "{compiled:?}");
    for drone in DRONES {
        // What had to go went in the jobs' rooms alone, and so did the user that one of them needed.
        lab.on(drone, "lab-oldtool && ! getent passwd rat").gives(0, &["app-lab/oldtool-1"]);
    }
    lab.swarm(&["finalize"]).gives(0, &["is live"]);

    // What is live counts, a live version too, unless it is named.
    lab.swarm(&["push", "--world"]).gives(0, &["release 000001-000001 has the 14 packages just as wanted"]);
    lab.swarm(&["plan", "app-lab/private"]).gives(0, &["1 of them live just as wanted"]);
    let anew = "app-lab/tip-9999 is a live version and asked for by name: it is built anew";
    lab.swarm(&["plan", "app-lab/tip"]).gives(0, &[anew, "0 of them live just as wanted"]);

    // Where jobs share a root nothing of the drone's own goes, and what cannot be built for that holds nobody up.
    lab.edit_inventory(|text| text.replace("[drones.drone-izar]", "[drones.drone-izar]\nclean_room = 'never'"));
    lab.swarm(&["push", "--on", "drone-izar", "app-lab/toolbox", "app-lab/purist", "--rebuild"]).gives(
        3,
        &[
            "failed     app-lab/toolbox-1 on drone-izar: config: app-lab/newtool-1 (!app-lab/oldtool)",
            "failed     app-lab/purist-1 on drone-izar: config: app-lab/purist-1 may not be merged beside app-lab/oldtool-1",
            "`swarm exec --on drone-izar -- emerge --unmerge =app-lab/oldtool-1` removes it there",
            "1 received, 2 failed",
        ],
    );
    lab.on("drone-izar", "lab-oldtool && test ! -e /usr/share/lab/app-lab/newtool").gives(0, &["app-lab/oldtool-1"]);
}
