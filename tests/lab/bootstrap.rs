//! A bare Gentoo host becomes a drone.

use super::laboratory::Laboratory;

#[test]
fn a_bare_host_becomes_a_drone_by_one_playbook_and_what_is_its_owners_stays_as_it_was() {
    let lab = Laboratory::up("bootstrap");
    lab.lab(&["up", "drone-spica"]).gives(0, &[]);
    lab.lab(&["inventory"]).gives(0, &[]);
    // Nothing can be built there: it has no settings, no repository, not even the user that Portage asks for.
    lab.swarm(&["push", "app-lab/daemon", "--on", "drone-spica"]).gives(5, &["drone-spica"]);
    lab.swarm(&["reset", "--yes"]).gives(0, &[]);

    let play = ["play", "bootstrap-drone", "--on", "drone-spica", "--set", "package=app-lab/hello"];
    lab.swarm(&play).gives(0, &["bootstrap-drone"]);
    lab.swarm(&["parity", "--on", "drone-spica"]).gives(0, &["drone-spica: like the driver"]);
    lab.swarm(&["push", "--replace", "app-lab/daemon", "--on", "drone-spica"]).gives(0, &["0 failed"]);
    assert!(lab.compiled().values().all(|hosts| *hosts == ["drone-spica"]), "{:?}", lab.compiled());
    lab.on("drone-spica", "ls -A /etc/portage").gives(0, &[]);
    assert_eq!(lab.on("drone-spica", "ls -A /etc/portage").said, "");
}
