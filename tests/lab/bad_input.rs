//! What operators and machines get wrong, with its message and exit status.

use super::laboratory::Laboratory;

#[test]
fn faults_in_inventory_and_atoms_end_with_one_and_start_nothing() {
    let lab = Laboratory::up("faults");
    lab.swarm(&["push", "app-lab/nonsense"]).gives(1, &["there are no ebuilds to satisfy", "Nothing was started"]);
    lab.swarm(&["push", "app-lab/masked"]).gives(1, &["have been masked"]);
    lab.swarm(&["push", "--", "--pretend"]).gives(2, &["is not an atom"]);
    assert!(lab.status()["build"].is_null(), "nothing was begun");
    lab.swarm(&["--inventory", "/nowhere", "status"]).gives(1, &["/nowhere"]);
    lab.edit_inventory(|text| text.replace("driver = ", "drvier = "));
    lab.swarm(&["push", "app-lab/hello"]).gives(1, &["drvier", "driver"]);
    lab.edit_inventory(|text| text.replace("drvier = ", "driver = ").replace("10.42.0.100", "10.42.0.100.1"));
    lab.swarm(&["push", "app-lab/hello"]).gives(1, &["10.42.0.100.1"]);
}

#[test]
fn a_package_that_fails_holds_its_release_up_and_the_others_are_received() {
    let lab = Laboratory::up("failing");
    lab.swarm(&["push", "app-lab/failer", "app-lab/hello"]).gives(3, &["1 received, 1 failed", "build: compile phase"]);
    let status = lab.status();
    assert_eq!(status["failed"].as_object().unwrap().len(), 1);
    assert_eq!(status["received"].as_array().unwrap().len(), 1);
    lab.swarm(&["finalize"]).gives(1, &["not complete", "nothing was released"]);
}

#[test]
fn a_drone_that_is_away_or_changed_or_unlike_is_left_out_and_named() {
    let lab = Laboratory::up("left-out");
    lab.lab(&["power-off", "drone-izar"]).gives(0, &[]);
    lab.on("drone-vega", "echo 'app-lab/hello doc' >>/etc/portage/package.use").gives(0, &[]);
    lab.swarm(&["push", "app-lab/hello"]).gives(0, &["unreachable drone-izar", "drone-vega: app-lab/hello", "USE"]);

    lab.swarm(&["push", "--on", "drone-izar", "--replace", "dev-lab/libbase"]).gives(4, &["no drone can take"]);
    lab.swarm(&["push", "--on", "drone-vega", "--replace", "app-lab/hello", "--on", "drone-vega"]).gives(2, &[]);
    lab.swarm(&["push", "--on", "drone-vega", "--replace", "app-lab/multislot:1", "app-lab/hello"]).gives(5, &["USE"]);
}
