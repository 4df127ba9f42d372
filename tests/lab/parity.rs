//! A drone that changes while a push is under way.

use super::laboratory::Laboratory;

#[test]
fn a_drone_that_comes_to_differ_is_left_out_by_the_job_that_finds_it() {
    let lab = Laboratory::up("parity");
    for package in ["sleeper", "libbase"] {
        std::fs::write(lab.shared(&format!("hold/{package}")), "").unwrap();
    }
    // Both drones are like the driver when the push begins, and each has a build; libbar waits for libbase.
    let push = lab.swarm_beside(&["push", "--on", "drone-izar,drone-vega", "dev-lab/libbar", "app-lab/sleeper"]);
    lab.wait("two builds run", || lab.compiled().len() == 2);
    let changed = lab.compiled()["dev-lab/libbase-1.0"][0].clone();
    lab.on(&changed, "echo 'dev-lab/libbar ssl' >>/etc/portage/package.use").gives(0, &[]);
    std::fs::remove_file(lab.shared("hold/libbase")).unwrap();
    lab.wait_for("the drone is found to differ", |status| status["drones"][&changed]["state"] == "refused");
    std::fs::remove_file(lab.shared("hold/sleeper")).unwrap();

    let output = push.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let parity = format!("not built  dev-lab/libbar-1.0 on {changed}: parity: dev-lab/libbar-1.0: USE differs");
    for words in [&format!("differs     {changed}"), &parity, "3 received, 0 failed"] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    lab.compiled_once(&["app-lab/sleeper-1.0", "dev-lab/libbar-1.0", "dev-lab/libbase-1.0"]);
    assert_ne!(lab.compiled()["dev-lab/libbar-1.0"], [changed]);
}
