//! What drones lack besides the plan.

use super::laboratory::Laboratory;

#[test]
fn what_only_the_driver_has_installed_is_packed_there_and_compiled_nowhere() {
    let lab = Laboratory::up("support");
    lab.on("capella", "emerge --quiet --oneshot app-lab/daemon").gives(0, &[]);
    lab.lab(&["forget"]);
    lab.swarm(&["push", "app-lab/daemon", "app-lab/hello"])
        .gives(0, &["2 received, 0 failed", "dev-lab/libbar-1.0 besides the plan", "fed as the driver has it"]);
    lab.compiled_once(&["app-lab/daemon-0.9_beta1", "app-lab/hello-1.1-r1"]);
    assert_eq!(lab.compiled().len(), 2, "{:?}", lab.compiled());
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    let index = std::fs::read_to_string(lab.controller("production/Packages")).unwrap();
    assert!(!index.contains("CPV: dev-lab/libbar"), "a support package is not released:\n{index}");
    assert_eq!(lab.on("capella", "ls /var/lib/swarm").said.trim(), "", "nothing stays on the driver");
}

#[test]
fn what_the_driver_has_not_either_is_built_once_and_fed_to_all_even_where_the_controller_is_killed_meanwhile() {
    let lab = Laboratory::up("support-built");
    // The list is all that is wanted: what its packages need is planned for nobody.
    let list = lab.file("list");
    std::fs::write(&list, "app-lab/daemon-0.9_beta1\napp-lab/consumer-1.1\n").unwrap();
    lab.swarm(&["init-from-list", list.to_str().unwrap()]).gives(0, &["not in the list but needed by it"]);
    // The first job that lacks it builds it, and is killed beside its own package; the other one waits for it.
    let knobs = lab.shared("hold");
    std::fs::create_dir_all(&knobs).unwrap();
    for package in ["daemon", "consumer"] {
        std::fs::write(knobs.join(package), "").unwrap();
    }
    let mut push = lab.swarm_beside(&["push"]);
    let own = ["app-lab/daemon-0.9_beta1", "app-lab/consumer-1.1"];
    lab.wait("what both lack is built", || own.iter().any(|cpv| lab.compiled().contains_key(*cpv)));
    push.kill().unwrap();
    push.wait().unwrap();
    std::fs::remove_dir_all(&knobs).unwrap();
    lab.swarm(&["push"]).gives(0, &["2 received, 0 failed"]);
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
    assert!(lab.compiled().contains_key("dev-lab/libbar-1.0"), "{:?}", lab.compiled());
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    let index = std::fs::read_to_string(lab.controller("production/Packages")).unwrap();
    assert!(!index.contains("CPV: dev-lab/libbar"), "a support package is not released:\n{index}");
}
